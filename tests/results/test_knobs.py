"""The knob by an attack's parameters is the one that committed labels say."""

from __future__ import annotations

import pytest

from modelprint.results.knobs import by_label, by_parameters
from modelprint.zoo.plans import plan_names, plan_of
from modelprint.zoo.recipes import Theft

NEWER = {"series", "transfer"}  # their results hold the knob itself; their labels leave out epochs that are no default


@pytest.mark.parametrize("name", [name for name in plan_names() if name not in NEWER])
def test_labels_and_parameters_agree_on_every_committed_copy(name: str) -> None:
    copies = [entry for entry in plan_of(name).entries if entry.role == "derived" and entry.part in ("test", "sweep")]
    assert len(copies) > 10
    drawn = 0
    for entry in copies:
        assert isinstance(entry.recipe, Theft)
        knob = by_parameters(entry.recipe.attack, entry.recipe.parameters)
        assert knob == by_label(entry.attack), entry.id
        drawn += knob is not None
    assert drawn > 5
