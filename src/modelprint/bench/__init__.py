"""Benchmarks: plan -> cells -> results -> tables; executors."""

from modelprint.bench.benches import bench_names as bench_names
from modelprint.bench.benches import bench_of as bench_of
from modelprint.bench.benches import default_folder as default_folder
from modelprint.bench.benches import default_results as default_results
from modelprint.bench.executors import executor as executor
from modelprint.bench.files import find_results as find_results
from modelprint.bench.running import run as run
from modelprint.bench.running import state as state
from modelprint.results.files import write_results as write_results
