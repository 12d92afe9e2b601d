"""Architectures, model files and their loaders."""
