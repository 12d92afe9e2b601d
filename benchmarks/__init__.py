"""Timings, and the committed results and models. Run from the root of the checkout: `python -m benchmarks.NAME`."""
