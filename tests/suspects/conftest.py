from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.options import SuspectOptions


@pytest.fixture
def images() -> np.ndarray:
    """40 distinct queries, uint8 (40, 1, 4, 4)."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)
    pixels[:, 0, 0, 0] = np.arange(40)
    return pixels


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELPRINT_API_TOKEN", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def connect(tmp_path: Path) -> Callable[..., HttpSuspect]:
    """Connect with short waits, one request at a time, a ledger in the test's folder."""

    def open_(url: str, **changes: object) -> HttpSuspect:
        quick = SuspectOptions(
            timeout=5.0, retries=2, backoff=0.01, max_in_flight=1, batch_size=8, ledger=tmp_path / "ledger.jsonl"
        )
        return HttpSuspect.connect(url, replace(quick, **changes))

    return open_
