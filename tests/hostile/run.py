"""Run hostile inputs by hand: python -m tests.hostile.run [PART OF A NAME] ..."""

from __future__ import annotations

import sys
import time

from tests.hostile.corpus import every_input
from tests.hostile.driver import outcomes


def main(parts: list[str]) -> None:
    """Print what came of each input whose name has one of these parts; of all without any."""
    chosen = [entry for name, entry in every_input().items() if not parts or any(part in name for part in parts)]
    began = time.monotonic()
    failing = 0
    for outcome in outcomes(chosen):
        took = f"{outcome.code} {outcome.seconds:5.2f} s {outcome.memory / 2**20:5.0f} MiB"
        print(f"{outcome.verdict:9} {took} {outcome.name}  {outcome.error[:230]!a}", flush=True)
        failing += bool(outcome.faults)
        for fault in outcome.faults:
            print(f"          ! {fault!a}")
    print(f"{len(chosen)} inputs, {failing} failing, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
