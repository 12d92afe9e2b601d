"""Labelled images: named sets, folders, npz files, and their fixed, disjoint splits."""
