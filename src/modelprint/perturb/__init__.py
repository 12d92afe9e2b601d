"""Gradient steps on inputs."""
