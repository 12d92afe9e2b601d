"""Populations of models made by recipes: sources, copies, strangers."""
