"""The hostile corpus, damaged further for ten minutes, every command at the other end.

`pytest -m hostile tests/fuzz` goes on for MODELPRINT_FUZZ_SECONDS (600) and writes hostile.json; a short run is part of
the suite.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelprint.core.sandbox import available
from tests.hostile.corpus import HostileInput, every_input
from tests.hostile.driver import outcomes
from tests.hostile.fuzzing import can_be_fuzzed, fuzzed
from tests.hostile.test_corpus import known_failures, revision, told

RESULTS = Path(__file__).with_name("hostile.json")
SECONDS = float(os.environ.get("MODELPRINT_FUZZ_SECONDS", "0")) or 600.0
pytestmark = pytest.mark.skipif(not available(), reason="this system cannot confine a child")


def drawn(seed: int, *, most: int | None = None, seconds: float | None = None) -> Iterator[HostileInput]:
    """Fuzzed inputs, so many or for so long; every kind as often as every other."""
    kinds: dict[str, list[HostileInput]] = {}
    known = known_failures()
    for entry in every_input().values():
        if can_be_fuzzed(entry) and entry.name not in known:
            kinds.setdefault(entry.kind, []).append(entry)
    draw, began, count = random.Random(seed), time.monotonic(), 0
    while (most is None or count < most) and (seconds is None or time.monotonic() - began < seconds):
        kind = sorted(kinds)[count % len(kinds)]
        yield fuzzed(draw.choice(kinds[kind]), draw.randrange(2**31))
        count += 1


def test_a_few_damaged_hostile_inputs() -> None:
    failing = [one for one in outcomes(drawn(0, most=27)) if one.faults]
    assert not failing, told(failing)


@pytest.mark.hostile
def test_damaged_hostile_inputs_for_ten_minutes() -> None:
    """Other ones each time: the seed is the clock's, and stands in the results."""
    seed, began = int(time.time()), time.monotonic()
    done = list(outcomes(drawn(seed, seconds=SECONDS)))
    kinds: dict[str, Counter[str]] = {}
    for one in done:
        kinds.setdefault(one.name.split("/")[2], Counter())[one.verdict] += 1
    summary = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": revision(),
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "inputs": len(done),
        "kinds": {kind: dict(sorted(counts.items())) for kind, counts in sorted(kinds.items())},
        "failing": [{"name": one.name, "faults": list(one.faults)} for one in done if one.faults],
    }
    RESULTS.write_text(json.dumps(summary, indent=1) + "\n")
    failing = [one for one in done if one.faults]
    assert not failing, told(failing)
