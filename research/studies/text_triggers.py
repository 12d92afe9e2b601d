"""UAP on texts: how long a trigger should be, what it is written in, and what it finds.

    python -m research.studies.text_triggers NAME [--zoo FOLDER] [--thinning N]

NAME is a zoo of texts (`made-up-languages`, `text`), which must be built. For each source and each way to a trigger:
how many held-out texts change their class, how many by a trigger of random letters as long, how unusual the texts
become, and how well scores tell copies that keep their accuracy from independent models of the test part.

Writes benchmarks/results/text_triggers_NAME.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.common import provenance, write_result
from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import texts_of
from modelprint.nn.refs import held
from modelprint.ownership.craft import craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.uap import Uap
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.stats.surprise import Trigrams
from modelprint.training.loop import predict
from modelprint.zoo.plans import plan_of
from modelprint.zoo.population import ZooModel, load

KEPT = 0.85  # of the source's accuracy; below it a copy is worth little
SHARES = (0.0625, 0.125, 0.25, 0.375, 0.5)  # of the longest text
BUDGET = 200
WORDS_TRIED, WORD_SWEEPS, LEARNED_FROM = 96, 6, 128


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What one source is enrolled from, and the models of the test part."""

    context: Enrollment
    copies: tuple[ZooModel, ...]
    independents: tuple[ZooModel, ...]


def parts_of(name: str, folder: Path | None, thinning: int) -> Iterator[tuple[str, Parts]]:
    """Each source, with its parts."""
    plan = plan_of(name)
    models = load(plan, folder=folder)
    data = plan.seeds.partition(":")[0]
    owner, queries = load_data(f"{data}:owner"), load_data(plan.seeds)
    for source in (model for model in models if model.part == "source"):
        shadow = [model for model in models if model.part == "shadow"]
        test = [model for model in models if model.part == "test"]
        context = Enrollment(
            source=source.load().module,
            seeds=queries,
            train_images=owner,
            surrogates=held([model.load().module for model in shadow if model.source == source.id]),
            references=held([model.load().module for model in shadow if model.role == "independent"]),
            budget=BUDGET,
        )
        worth = KEPT * source.accuracy
        copies = [model for model in test if model.source == source.id and model.same_classes]
        independents = [model for model in test if model.role == "independent"]
        yield (
            source.id,
            Parts(
                context=context,
                copies=tuple(model for model in copies if model.accuracy >= worth),
                independents=tuple(independents[::thinning]),
            ),
        )


def answers_of(model: torch.nn.Module, stored: np.ndarray) -> Answers:
    """With scores."""
    return answers_from_scores(predict(model, torch.from_numpy(stored), modality=TEXT).numpy(), who="a model")


def fooled(model: torch.nn.Module, data: LabelledSet, front: np.ndarray) -> float:
    """The share of texts whose class changes."""
    stored = data.stored
    before, after = (answers_of(model, one).labels for one in (stored, TEXT.fronted(stored, front)))
    return float((before != after).mean())


def detection(scheme: Uap, parts: Parts) -> dict[str, Any]:
    """What a fingerprint of the scheme tells apart, by scores and by labels."""
    try:
        made = craft(scheme, parts.context, seed=0)
    except FingerprintError as error:
        return {"refused": str(error)}
    source = answers_of(parts.context.source, made.queries.stored)
    asked = {
        side: [answers_of(model.load().module, made.queries.stored) for model in models]
        for side, models in (("derived", parts.copies), ("independent", parts.independents))
    }
    found: dict[str, Any] = {"report": dict(made.queries.report)}
    for reading in ("scores", "labels"):
        scores = {
            side: np.array(
                [
                    scheme.score(made.state, source, one if reading == "scores" else Answers(labels=one.labels))
                    for one in answers
                ]
            )
            for side, answers in asked.items()
        }
        found[reading] = {
            "auc": auc(scores["derived"], scores["independent"]),
            "t1": tpr_at_fpr(scores["derived"], scores["independent"], fpr=0.01),
        }
    return found


def of_words(parts: Parts, size: int) -> np.ndarray:
    """A trigger of whole words of the training texts, chosen one after the other by trying."""
    data, model = parts.context.train_images, parts.context.source
    assert data is not None
    draw = np.random.default_rng(0)
    words = sorted({word for text in texts_of(data.stored) for word in text.split() if word.isascii()})
    batch = data.stored[draw.permutation(len(data))[:LEARNED_FROM]]
    labels = torch.from_numpy(answers_of(model, batch).labels)

    def loss(text: str) -> float:
        front = np.frombuffer(text.encode(), np.uint8)
        logits = predict(model, torch.from_numpy(TEXT.fronted(batch, front)), modality=TEXT)
        return float(functional.cross_entropy(logits, labels, reduction="none").clamp(max=9).mean())

    chosen: list[str] = []
    best = 0.0
    for _ in range(WORD_SWEEPS):
        before = chosen
        for slot in range(len(chosen) + 1):
            for word in draw.choice(words, WORDS_TRIED):
                tried = [*chosen[:slot], str(word), *chosen[slot + 1 :]]
                if len(" ".join(tried)) <= size and (value := loss(" ".join(tried))) > best:
                    chosen, best = tried, value
        if chosen == before:
            break
    return np.frombuffer(" ".join(chosen).encode(), np.uint8)


def study(parts: Parts) -> dict[str, Any]:
    """All ways to a trigger, of one source."""
    longest = parts.context.seeds.shape[0]
    usual = Trigrams.of(parts.context.seeds.stored)
    stored = parts.context.seeds.stored
    rows: dict[str, Any] = {}
    for share in SHARES:
        scheme = Uap(epsilon=share, least_fooling=0.0)
        searched = detection(scheme, parts)
        size = round(share * longest)
        words = of_words(parts, size)
        rows[f"{size} bytes"] = {
            "searched": searched,
            "by chance": detection(Uap(epsilon=share, least_fooling=0.0, perturbation="random-sign"), parts),
            "words": {
                "trigger": words.tobytes().decode(),
                "fooling_rate": fooled(parts.context.source, parts.context.seeds, words),
                "bits_after": float(usual.bits(TEXT.fronted(stored, words)).mean()),
            },
        }
    rows["as it is"] = detection(Uap(), parts)
    rows["no encoder"] = detection(Uap(encoder="none"), parts)
    return rows


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--thinning", type=int, default=1)
    chosen = parser.parse_args()
    sources: dict[str, Any] = {}
    for source, parts in parts_of(chosen.name, chosen.zoo, chosen.thinning):
        sources[source] = {"copies": len(parts.copies), "independents": len(parts.independents), "rows": study(parts)}
        result = {"zoo": chosen.name, "budget": BUDGET, "sources": sources, "provenance": provenance()}
        write_result(f"text_triggers_{chosen.name}.json", result)


if __name__ == "__main__":
    main()
