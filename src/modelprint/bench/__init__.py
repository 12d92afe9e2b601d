"""Benchmarks: a plan names contenders and a zoo, cells are filled by executors, results are summed up and tabled.

Judging is `ownership`'s, never a copy of it. Imported by cli and research; imports results and what lies below. A new
benchmark is a TOML file (docs/bench.md), a new figure of merit a column in `rows`.
"""

from modelprint.bench.benches import bench_names as bench_names
from modelprint.bench.benches import bench_of as bench_of
from modelprint.bench.benches import default_folder as default_folder
from modelprint.bench.benches import default_results as default_results
from modelprint.bench.files import find_results as find_results
from modelprint.bench.running import run as run
from modelprint.bench.running import state as state
from modelprint.results.files import write_results as write_results
from modelprint.zoo.executors import executor as executor
