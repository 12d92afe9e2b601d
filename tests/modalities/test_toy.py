"""A modality in one folder of another package: everything above works with it, and never asks what an input is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.errors import DataError, FingerprintError, UsageError
from modelprint.data.labelled import LabelledSet, shared_inputs
from modelprint.data.readers import READERS
from modelprint.modalities import MODALITIES
from modelprint.modalities.base import Modality
from modelprint.nn.architectures import ARCHITECTURES
from modelprint.ownership.ask import record_answers
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.negatives import of_module
from modelprint.ownership.opening import opened
from modelprint.ownership.rederive import rederive
from modelprint.ownership.verify import examine, verify
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.render import render_report
from modelprint.zoo.reference_models.shadows import Shadows

STEP = 1 / 64
CODE = '''
"""Vectors of a few numbers from -1 to 1, in steps of 1/64."""

from typing import Literal

import numpy as np
import torch

from torch import nn

from modelprint.core.errors import DataError
from modelprint.core.registry import Registry
from modelprint.data.named import RawSet
from modelprint.data.readers import READERS, SetReader
from modelprint.modalities import MODALITIES
from modelprint.modalities.base import InputSpec, Modality
from modelprint.modalities.space import Box
from modelprint.nn.architectures import Features, Net, architecture


class ToySpec(InputSpec):
    modality: Literal["toy-vector"] = "toy-vector"
    version: Literal[1] = 1
    length: int

    @property
    def shape(self):
        return (self.length,)

    @property
    def modality_name(self):
        return self.modality


class ToyVector(Modality):
    name, singular, plural = "toy-vector", "vector", "vectors"
    codecs = {"float32": np.dtype(np.float32)}
    transforms = Registry("transform of vectors")

    @property
    def space(self):
        return Box(low=-1.0, high=1.0, step=1 / 64)

    def spec(self, shape, class_names):
        return ToySpec(length=shape[0], class_names=tuple(class_names))

    def read_spec(self, fields):
        return ToySpec.model_validate(fields)

    def check_set(self, stored, *, who):
        if stored.ndim != 2 or stored.dtype != np.float32:
            raise DataError(f"{who}: expected float32 (n, length), got {stored.dtype} {stored.shape}")

    def check(self, inputs):
        self.check_set(inputs, who="vectors")
        if not (np.abs(inputs) <= 1).all():
            raise DataError("expected vectors from -1 to 1")

    def to_model(self, inputs, *, device=None, dtype=None):
        return torch.as_tensor(inputs).to(device=device, dtype=dtype or torch.float32)

    def to_stored(self, points):
        return (points * 64).round().div(64).float()

    def as_points(self, inputs):
        return np.ascontiguousarray(inputs, dtype=np.float32)


MODALITIES.register("toy-vector")(ToyVector())


@architecture("toy-mlp", modality="toy-vector")
def toy_mlp(*, inputs, width=48):
    return Net(Features(nn.Linear(inputs.length, width), nn.ReLU()), width, inputs.classes)


def read(path, reading):
    """Lines of numbers, the last of each a class."""
    table = np.loadtxt(path)
    stored, labels = table[:, :-1].astype(np.float32), table[:, -1].astype(np.int64)
    return RawSet(
        train_images=stored, train_labels=labels, test_images=stored[:0], test_labels=labels[:0],
        class_names=tuple("abcd"), modality=MODALITIES["toy-vector"],
    )


READERS.register("toy-vector")(
    SetReader(
        modality="toy-vector", forms="a .toy file", takes=lambda path, reading: path.suffix == ".toy", read=read
    )
)
'''


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Modality]:
    """The modality, found by the entry point of an installed package."""
    place = tmp_path_factory.mktemp("packages")
    (place / "toy_vectors").mkdir()
    (place / "toy_vectors" / "__init__.py").write_text(CODE)
    about = place / "toy_vectors-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-vectors\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[modelprint.modalities]\ntoy-vector = toy_vectors\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        for registry in (MODALITIES, READERS, ARCHITECTURES):
            patch.setattr(registry, "_items", dict(registry._items))
            patch.setattr(registry, "_loaded", set(registry._loaded))
            patch.setattr(registry, "_discovered", False)
        yield MODALITIES["toy-vector"]
    sys.modules.pop("toy_vectors", None)


def mlp(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 4))


def trained(data: LabelledSet, seed: int, *, start: nn.Module | None = None, steps: int = 150) -> nn.Module:
    model = mlp(seed)
    if start is not None:
        model.load_state_dict(start.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01 if start is None else 0.002)
    inputs, labels = torch.from_numpy(data.stored), torch.from_numpy(data.labels)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        some = torch.randint(len(labels), (64,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs[some]), labels[some]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def world(toy: Modality, one_thread: None) -> dict[str, LabelledSet | nn.Module | list[nn.Module]]:
    """Noisy quadrants of the first two coordinates, a source, a tuned copy, and 24 independent models."""
    random = np.random.default_rng(0)
    stored = random.uniform(-1, 1, (1200, 6)).astype(np.float32)
    clean = (stored[:, 0] + 0.3 * stored[:, 2] > 0) * 2 + (stored[:, 1] * stored[:, 3] > 0)
    labels = np.where(random.random(len(clean)) < 0.1, random.integers(0, 4, len(clean)), clean).astype(np.int64)
    data = LabelledSet(
        name="quadrants", stored=toy.to_stored(torch.from_numpy(stored)).numpy(), labels=labels,
        class_names=tuple("abcd"), modality=toy,
    )  # fmt: skip
    owner, queries, rest = (data.take(slice(*ends)) for ends in ((0, 400), (400, 700), (700, 1200)))
    source = trained(owner, 0)
    return {
        "queries": queries,
        "owner": owner,
        "source": source,
        "copy": trained(rest, 1, start=source, steps=20),
        "independents": [trained(rest, seed) for seed in range(100, 124)],
    }


@pytest.mark.parametrize(
    ("scheme", "settings"),
    [
        ("akh", {"queries": "60"}),
        ("adv-tra", {"trajectories": "12", "l": "2", "m": "3"}),
        ("ipguard", {"queries": "30", "steps": "100", "k": "1"}),
        ("cort", {"queries": "20", "epsilon": "0.15"}),
    ],
)
def test_schemes_tell_a_copy_from_an_independent_model(world, toy, tmp_path: Path, scheme: str, settings) -> None:
    independents = world["independents"]
    made = enroll(world["source"], world["queries"], scheme=scheme, settings=settings, negatives=independents[:20])
    made.save(tmp_path / "fp")
    read = Fingerprint.load(tmp_path / "fp")
    assert read.modality is toy
    assert read.manifest.input.model_dump() == {
        "modality": "toy-vector", "version": 1, "length": 6, "class_names": tuple("abcd"),
    }  # fmt: skip
    assert read.to_bytes() == made.to_bytes()
    assert read.queries.dtype == np.float32
    assert np.array_equal(read.queries, np.round(read.queries * 64) / 64)
    assert read.queries.min() < -0.1  # below where images end
    assert np.abs(read.queries).max() <= 1
    derived = verify(read, world["copy"], access="scores")
    assert derived.verdict == "derived"
    assert verify(read, lambda inputs: world["copy"](torch.from_numpy(inputs)), access="scores").score == derived.score
    verdicts = [verify(read, model, access="scores").verdict for model in independents[20:]]
    assert verdicts.count("derived") <= 1


def test_universal_perturbations_stay_in_the_box(world, toy) -> None:
    made = enroll(
        world["source"],
        world["queries"],
        scheme="uap",
        settings={"points": "20", "views": "3", "least_fooling": "0.2", "steps": "20", "images": "300"},
        train_data=world["owner"],
        shadows=_shadows(world),
    )
    assert made.queries.min() >= -1
    assert made.queries.max() <= 1
    assert made.queries.min() < -0.5
    shown = examine(made, world["copy"])
    assert shown.plane_labels is not None
    assert 0 <= shown.plane_labels.min() <= shown.plane_labels.max() < 4


def _shadows(world):
    copies = [trained(world["owner"], seed, start=world["source"], steps=20) for seed in (5, 6)]
    return Shadows(
        surrogates=tuple(of_module(model) for model in copies),
        references=tuple(of_module(model) for model in world["independents"][:2]),
    )


def test_what_vectors_do_not_have_is_refused_in_one_line(world, toy) -> None:
    with pytest.raises(FingerprintError, match=r"scheme sac mixes inputs.* vectors cannot be mixed"):
        enroll(world["source"], world["queries"], scheme="sac", settings={"queries": "20"})
    with pytest.raises(UsageError, match="unknown transform of vectors 'jpeg'"):
        enroll(world["source"], world["queries"], scheme="akh", expect="jpeg")
    made = enroll(world["source"], world["queries"], scheme="akh", settings={"queries": "20"})
    suspect = opened(world["copy"], made)
    with pytest.raises(DataError, match="from -1 to 1"):
        suspect.ask(2 * made.queries)
    with pytest.raises(DataError, match=r"quadrants: expected float32 \(n, length\), got float64"):
        LabelledSet(
            name="quadrants", stored=np.zeros((1, 6)), labels=np.zeros(1, int), class_names=("a", "b"), modality=toy
        )


def test_inputs_of_two_modalities_are_never_shared(world) -> None:
    images = LabelledSet(
        name="images", stored=np.zeros((1, 1, 2, 2), np.uint8), labels=np.zeros(1, int), class_names=("a", "b")
    )
    assert shared_inputs(world["queries"], images) == 0
    assert shared_inputs(world["queries"], world["queries"]) == len(world["queries"])


def test_a_fingerprint_of_an_unknown_modality_says_so(world, toy, tmp_path: Path, monkeypatch) -> None:
    enroll(world["source"], world["queries"], scheme="akh", settings={"queries": "20"}).save(tmp_path / "fp")
    monkeypatch.delitem(MODALITIES._items, "toy-vector")
    with pytest.raises(FingerprintError, match="inputs are of modality 'toy-vector': this version knows image"):
        Fingerprint.load(tmp_path / "fp")


def test_it_is_recorded_judged_later_reported_and_made_again(world, toy, tmp_path: Path) -> None:
    settings = {"trajectories": "6", "l": "2", "m": "3"}
    made = enroll(
        world["source"], world["queries"], scheme="adv-tra", settings=settings, negatives=world["independents"][:20]
    )
    now = examine(made, world["copy"])
    record_answers(made, world["copy"], out=tmp_path / "answers.jsonl")
    later = verify(made, str(tmp_path / "answers.jsonl"))
    assert (later.verdict, later.score) == (now.verdict.verdict, now.verdict.score)
    case = Case(name="copy", role="suspect", verdict=now.verdict, answers=now.answers, plane_labels=now.plane_labels)
    page = render_report(made, [case], calibration_scores=now.calibration_scores)
    assert "stored as 32-bit floats of 6" in page
    assert 'alt="Point' not in page
    assert rederive(made, of_module(world["source"]), world["queries"]).exact
