"""Benchmarks: plan -> cells -> results -> rows; executors."""
