"""Every attack on a network of one's own: what is made is read again from its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modelprint.attacks import ATTACKS, run_attack
from modelprint.core.errors import ModelError
from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.nn.heads import head_of
from modelprint.nn.loading import load_model
from modelprint.training.loop import TrainRecipe
from modelprint.training.train import TrainedModel, spec_for, train_model

CODE = """
from torch import nn

class Own(nn.Module):
    def __init__(self, classes, pooled=False):
        super().__init__()
        self.answer = nn.Conv2d(8, classes, 1) if pooled else nn.Linear(8, classes)
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.pooled = pooled

    def forward(self, x):
        x = self.features(x)
        logits = self.answer(x).mean((2, 3)) if self.pooled else self.answer(x.mean((2, 3)))
        return {"logits": logits}

def stubborn():
    return Own(10)
"""
REGISTERED_ONLY = ("permute", "permute-rescale", "prune-channels")
SETTINGS = {
    "prune": {"finetune_epochs": "1"},
    "removalnet": {"iterations": "3", "samples": "40"},
    "data-free": {"budget": "200", "rounds": "1", "generator_steps": "2", "epochs": "1"},
    "ip-remover": {"inputs": "40", "steps": "2", "epochs": "1"},
    "jbda": {"rounds": "1", "epochs": "1"},
    "extract-adversarial": {"steps": "1", "epochs": "1"},
    "chain": {},
    "noise": {},
    "quantise": {},
    "transfer": {"classes": "4", "epochs": "1"},
    "head-swap": {"classes": "4", "epochs": "1"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(CODE)
    return folder


def trained(place: Path, **arguments: object) -> TrainedModel:
    owner = load_data("digits:owner")
    spec = spec_for(owner, f"{place}/own.py:Own", arguments)
    return train_model(owner, spec, TrainRecipe(epochs=3, batch_size=32, augment="none"), seed=0)


@pytest.fixture(scope="module")
def source(place: Path) -> TrainedModel:
    return trained(place)


def test_code_of_ones_own_takes_inputs_as_they_are(source: TrainedModel):
    spec = source.card.spec
    assert (spec.mean, spec.std, spec.shape, spec.classes) == ((0.0,), (1.0,), (1, 8, 8), 10)
    assert spec.code is not None


@pytest.mark.parametrize("kind", [name for name in ATTACKS if name not in REGISTERED_ONLY])
def test_attacks_make_files_that_are_read_again(kind: str, source: TrainedModel, tmp_path: Path):
    data = load_data("digits:attacker[0:80]")
    attack = ATTACKS[kind]()
    settings = SETTINGS.get(kind, {"epochs": "1"} if hasattr(attack, "epochs") else {})
    made = run_attack(kind, settings, source.model, source.card.spec, data, seed=1)
    save_model(tmp_path / "made.safetensors", made.model, made.card)
    again = load_model(tmp_path / "made.safetensors", trust_code=True)
    images = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(again.module(images), made.model(images))
    assert again.spec == made.card.spec


@pytest.mark.parametrize("kind", ["ftll", "rtll", "fine-prune", "transfer"])
def test_a_convolution_as_last_layer(kind: str, place: Path):
    source = trained(place, pooled=True)
    head = head_of(source.model, source.card.spec)
    assert (head.name, head.classes) == ("answer", 10)
    settings = SETTINGS.get(kind, {"epochs": "2"})
    data = load_data("digits:attacker[0:80]")
    made = run_attack(kind, settings, source.model, source.card.spec, data, seed=1)
    after = made.model.body.get_submodule("answer")
    assert isinstance(after, torch.nn.Conv2d)
    assert after.out_channels == (4 if kind == "transfer" else 10)
    below = torch.equal(made.model.body.features[0].weight, source.model.body.features[0].weight)  # type: ignore[index, union-attr]
    assert below == (kind in ("ftll", "rtll"))


def test_the_students_architecture_may_be_code_too(source: TrainedModel, digits, place: Path):
    data = load_data("digits:attacker[0:80]")
    settings = {"arch": f"{place}/own.py:Own", "epochs": "1"}
    made = run_attack("extract-soft", settings, digits.source, digits.spec, data, seed=1)
    assert made.card.spec.arch == f"{place}/own.py:Own"
    assert made.card.spec.code == source.card.spec.code


def test_refusals(source: TrainedModel, place: Path):
    data = load_data("digits:attacker[0:80]")
    with pytest.raises(ModelError, match="registered architectures only"):
        run_attack("permute", {}, source.model, source.card.spec, data, seed=1)
    with pytest.raises(ModelError, match="registered architectures only"):
        run_attack("permute-rescale", {}, source.model, source.card.spec, data, seed=1)
    with pytest.raises(ModelError, match="registered architectures only"):
        run_attack("prune-channels", {}, source.model, source.card.spec, data, seed=1)
    spec = source.card.spec.model_copy(update={"arch": f"{place}/own.py:stubborn"})
    with pytest.raises(ModelError, match="always gives the same number of classes"):
        run_attack("transfer", {}, source.model, spec, data, seed=1)
