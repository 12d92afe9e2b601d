"""Write our own claims on a benchmark, checked from its recorded scores: `python -m research.claims fashion 200`.

One file for each contender and what it reads, under `benchmarks/claims`. A claim that is there already stays as it is,
with its checks: an own figure is lowered by checks, as all others are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import get_args

from benchmarks.common import RESULTS
from modelprint.bench import bench_of, find_results
from modelprint.bench.claiming import Place, check_scores, claim_of
from modelprint.results.claims import write_claim
from modelprint.results.records import ReadAs, Results
from modelprint.results.view import controls
from modelprint.schemes import SCHEMES

CLAIMS = RESULTS.parent / "claims"


def places(results: Results, budget: int) -> Iterator[Place]:
    """Every contender without controls, with all that it reads; one that compares weights is asked nothing."""
    planned = bench_of(results.name).bench
    schemes = {contender.label: contender.scheme for contender in planned.contenders if contender.knob is None}
    measured = {(run.scheme, run.access, run.budget) for run in results.runs}
    for (label, scheme), access in product(schemes.items(), get_args(ReadAs)):
        if label in controls() or (access == "scores" and SCHEMES[scheme].lost_with_labels is None):
            continue
        asked = {size for one, reads, size in measured if (one, reads) == (label, access)}
        if asked and not SCHEMES[scheme]().needs.asks:
            yield Place(label=label, access=access, budget=min(asked))
        elif budget in asked:
            yield Place(label=label, access=access, budget=budget)


def path_of(name: str, place: Place) -> Path:
    """The file of a claim."""
    label = re.sub(r"[^a-z0-9]+", "-", place.label.lower()).strip("-")
    return CLAIMS / f"{name}-{label}-{place.access}-{place.budget}.json"


def submit_all(name: str, budget: int) -> int:
    """Write the claims that are missing; how many."""
    planned, results = bench_of(name), find_results(name)
    written = 0
    for place in places(results, budget):
        path = path_of(name, place)
        if not path.exists():
            claim = claim_of(planned, results, place)
            write_claim(claim.with_check(check_scores(claim, results)), path)
            written += 1
    return written


if __name__ == "__main__":
    print(f"{CLAIMS}: {submit_all(sys.argv[1], int(sys.argv[2]))} claims written")
