"""Studies beside the benchmarks: each file measures one thing and writes one result to benchmarks/results.

May import `modelprint` and `benchmarks.common`. To add one: a file with a `main`, whose docstring says how it is run,
and a table of its result in `research.tables`.
"""
