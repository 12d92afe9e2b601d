"""What changes in queries that are made again with another number of threads: the tolerance of `check --rederive`.

    python benchmarks/rederive_threads.py

The first source of the `fashion` zoo, schemes that need no shadow models: crafted with one thread twice, and with two.
Writes benchmarks/results/rederive_threads.json.
"""

from __future__ import annotations

import numpy as np
import torch

from common import provenance, write_result
from modelprint.data.splits import load_data
from modelprint.ownership.craft import craft
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Enrollment
from modelprint.zoo.population import load

SETTINGS: dict[str, dict[str, str]] = {
    "adv-tra": {"trajectories": "20"},
    "ipguard": {"queries": "100"},
    "cort": {"queries": "100"},
    "sac": {"queries": "100"},
    "akh": {"queries": "100"},
}


def main() -> None:
    source = next(model for model in load("fashion") if model.role == "source").load().module
    seeds = load_data("fashion-mnist:queries")
    rows = []
    for name, settings in SETTINGS.items():
        scheme = SCHEMES[name]().with_settings(settings)
        made = {}
        for label, threads in (("one", 1), ("one again", 1), ("two", 2)):
            torch.set_num_threads(threads)
            made[label] = craft(scheme, Enrollment(source=source, seeds=seeds), seed=0).queries.images
        for label in ("one again", "two"):
            first, other = made["one"].astype(np.int64), made[label].astype(np.int64)
            row = {"scheme": name, "against": label, "queries": len(first), "same_shape": first.shape == other.shape}
            if first.shape == other.shape:
                levels = np.abs(first - other)
                row |= {
                    "changed_queries": int(levels.reshape(len(first), -1).any(axis=1).sum()),
                    "largest_change": int(levels.max()),
                    "largest_share_of_pixels": float((levels > 0).reshape(len(first), -1).mean(axis=1).max()),
                }
            rows.append(row)
            print(row, flush=True)
    write_result("rederive_threads.json", {"rows": rows, "provenance": provenance()})


if __name__ == "__main__":
    main()
