"""Gradient steps on inputs: walks over boundaries, universal perturbations, DeepFool, PGD, in double precision.

Imported by schemes, attacks and training; imports core and modalities only. A new step is a module of pure functions of
a model and tensors, which asks the modality's `space` for bounds.
"""
