"""How models are trained and asked: the one loop, recipes (sgd, adamw, the owner's code), checkpoints to start from.

Imported by attacks, schemes, suspects, zoo and what lies above; imports perturb, stats, nn, data and what lies below. A
new recipe is a frozen record in `recipes`, named in `choice`.
"""
