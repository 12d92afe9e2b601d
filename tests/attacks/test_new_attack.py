"""An attack that another package brings by an entry point is one of the attacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from modelprint.attacks import ATTACKS, run_attack
from tests.attacks.conftest import World
from tests.plugins import install

CODE = '''
"""Sign: the biases of the head change their signs."""
from dataclasses import dataclass
from typing import ClassVar

import torch

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot


@ATTACKS.register("sign")
@dataclass(frozen=True, kw_only=True)
class Sign(Attack):
    """Biases times a factor."""

    name: ClassVar[str] = "sign"
    family: ClassVar[Family] = "noise"

    factor: float = -1.0

    def _run(self, loot: Loot) -> AttackResult:
        with torch.no_grad():
            loot.copy.body.head.bias.mul_(self.factor)
        return AttackResult(model=loot.copy, spec=loot.spec)
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, module="sign_attack", code=CODE, group="modelprint.attacks", name="sign")
    ATTACKS.discover()
    yield
    del ATTACKS._items["sign"], sys.modules["sign_attack"]


@pytest.mark.usefixtures("plugin")
def test_it_runs_as_the_others_do(world: World) -> None:
    made = run_attack("sign", {"factor": "-2"}, world.source, world.spec, world.attacker, seed=0)
    assert torch.equal(made.model.body.head.bias, -2 * world.source.body.head.bias)
    assert made.card.recipe["kind"] == "sign"
    assert list(ATTACKS)[-1] == "sign"
