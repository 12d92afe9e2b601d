"""Fields set from text take the type of the field, or the text is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprint.core.errors import UsageError
from modelprint.core.settings import with_settings


@dataclass(frozen=True, kw_only=True)
class Walk:
    steps: int = 3
    rate: float = 0.5
    loud: bool = False
    gait: Literal["slow", "fast"] = "slow"
    limit: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")


def walk(**settings: str) -> Walk:
    return with_settings(Walk(), settings, who="walk")


@given(
    st.integers(1, 10**9),
    st.floats(allow_nan=False),
    st.booleans(),
    st.sampled_from(["slow", "fast"]),
    st.none() | st.floats(allow_nan=False),
)
def test_what_is_written_out_reads_back(steps, rate, loud, gait, limit):
    wanted = Walk(steps=steps, rate=rate, loud=loud, gait=gait, limit=limit, extra={"a": [1, None]})
    texts = {"steps": steps, "rate": rate, "loud": str(loud), "gait": gait, "limit": limit, "extra": '{"a": [1, null]}'}
    assert walk(**{key: str(value) for key, value in texts.items()}) == wanted


@pytest.mark.parametrize(
    ("key", "text", "what"),
    [
        ("stride", "1", "walk has no parameter 'stride': it has extra, gait, limit, loud, rate, steps"),
        ("steps", "many", "steps='many' is not a int"),
        ("steps", "2.5", "steps='2.5' is not a int"),
        ("steps", "0", "walk: steps must be at least 1, got 0"),
        ("rate", "", "rate='' is not a float"),
        ("loud", "yes", "use true or false"),
        ("gait", "medium", "use one of slow, fast"),
        ("limit", "high", "limit='high' is not a float"),
        ("extra", "{", "is not JSON"),
        ("extra", "[1]", "expected a JSON object"),
    ],
)
def test_a_mistake_is_named(key, text, what):
    with pytest.raises(UsageError) as caught:
        walk(**{key: text})
    assert what in str(caught.value)
