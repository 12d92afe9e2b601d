"""Labelled sets: named sets, folders, npz files, and their fixed, disjoint splits.

Imported by training and what lies above; imports core and modalities only. A new named set is a function in `named`; a
new file format a reader beside `arrays`.
"""
