"""A small world of texts: four made-up languages, a source, a tuned copy, and independent models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from modelprint.data.labelled import LabelledSet
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import stored_texts
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import build
from modelprint.training.loop import fit
from modelprint.training.recipes import TrainRecipe
from modelprint.training.train import spec_for

LANGUAGES = ("ama", "bebe", "coco", "didi")
LENGTH = 32


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Parts of one set, and models of it."""

    owner: LabelledSet
    queries: LabelledSet
    attacker: LabelledSet
    source: Normalized
    copy: Normalized
    independents: tuple[Normalized, ...]


def made_up(count: int, *, seed: int = 0) -> LabelledSet:
    """Texts of languages that share most syllables, each with some of its own."""
    draw = np.random.default_rng(seed)
    shared = [c + v for c in "bdfgklmnprst" for v in "aeiou"]
    own = [draw.choice(shared, 12, replace=False).tolist() for _ in LANGUAGES]
    texts: dict[str, int] = {}
    while len(texts) < count:
        label = len(texts) % len(LANGUAGES)
        words = [
            "".join(draw.choice(own[label] if draw.random() < 0.4 else shared, draw.integers(1, 4))) for _ in range(5)
        ]
        text = " ".join(words)
        if len(text) <= LENGTH:
            texts.setdefault(text, label)
    return LabelledSet(
        name="made-up languages",
        stored=stored_texts(list(texts), LENGTH),
        labels=np.array(list(texts.values()), dtype=np.int64),
        class_names=LANGUAGES,
        modality=TEXT,
    )


def trained(data: LabelledSet, seed: int, *, start: Normalized | None = None, epochs: int = 6) -> Normalized:
    """A small convolution, from scratch or from a model."""
    model = build(spec_for(data, "text-cnn", {"width": 16, "embedding": 8}), seed=seed)
    if start is not None:
        model.load_state_dict(start.state_dict())
    recipe = TrainRecipe(epochs=epochs, lr=0.1 if start is None else 0.01, batch_size=32, augment="none")
    fit(
        model,
        torch.from_numpy(data.stored),
        torch.from_numpy(data.labels),
        recipe,
        generator=torch.Generator().manual_seed(seed),
        modality=TEXT,
    )
    return model


@pytest.fixture(scope="package")
def texts(one_thread: None) -> Texts:
    data = made_up(1500)
    owner, queries, attacker = (data.take(slice(*ends)) for ends in ((0, 600), (600, 900), (900, 1500)))
    source = trained(owner, 0)
    return Texts(
        owner=owner,
        queries=queries,
        attacker=attacker,
        source=source,
        copy=trained(attacker, 1, start=source, epochs=2),
        independents=tuple(trained(attacker, seed) for seed in range(100, 103)),
    )
