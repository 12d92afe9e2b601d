"""Architectures, model files and their loaders, for models of any maker.

Imported by training and what lies above; imports core only. A new architecture is a function in
`architectures`; a new library of them a prefix in `libraries`; a new file format a reader beside `weight_files`.
"""
