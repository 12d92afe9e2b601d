"""The page of a benchmark's results and of the studies that lie beside them.

Imports `drawing` and `modelprint.results`, never `report.verdict`; only cli imports it. A section is one module with a
function of a `View`: call it in `render`, give it a block in `bench.html.j2`.
"""
