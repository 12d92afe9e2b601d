"""UAP on texts: a universal trigger in front of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.errors import FingerprintError
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import fronted, stored_texts, texts_of
from modelprint.nn.refs import held
from modelprint.ownership.craft import craft
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.negatives import of_module
from modelprint.ownership.rederive import rederive
from modelprint.ownership.verify import verify
from modelprint.perturb.embeddings import embedding_of, token_slopes
from modelprint.perturb.precision import in_precision
from modelprint.perturb.trigger import Texts as Reading
from modelprint.perturb.trigger import TriggerSearch
from modelprint.schemes.base import Enrollment
from modelprint.schemes.uap import Uap
from modelprint.training.loop import predict
from modelprint.zoo.reference_models.shadows import Shadows
from tests.texts.conftest import Texts, trained

SETTINGS = {"points": "12", "views": "3", "epsilon": "0.25", "least_fooling": "0.4", "steps": "30"}


@pytest.fixture(scope="module")
def context(texts: Texts) -> Enrollment:
    return Enrollment(
        source=texts.source,
        seeds=texts.queries,
        train_images=texts.owner,
        surrogates=held([trained(texts.attacker, 7, start=texts.source, epochs=1), texts.copy]),
        references=held(texts.independents[:2]),
    )


@pytest.fixture(scope="module")
def made(texts: Texts, context: Enrollment) -> Fingerprint:
    return enroll(
        texts.source,
        texts.queries,
        scheme="uap",
        settings=SETTINGS,
        train_data=texts.owner,
        shadows=Shadows(surrogates=context.surrogates, references=context.references),
    )


def labels_of(model: nn.Module, stored: np.ndarray) -> np.ndarray:
    labels: np.ndarray = predict(model, torch.from_numpy(stored), modality=TEXT).argmax(1).numpy()
    return labels


def test_what_stands_in_front_cuts_whole_characters() -> None:
    texts = ["", "ab", "abcé", "aжж", "日本"]
    front = np.frombuffer(b"xy", np.uint8)
    after = [f"xy {text}".encode()[:6].decode(errors="ignore") for text in texts]
    assert texts_of(fronted(stored_texts(texts, 6), front)) == after


def test_first_order_gains_are_those_of_finite_differences(texts: Texts) -> None:
    model = in_precision(texts.source, "double", shape=texts.queries.shape)
    embedding = embedding_of(model)
    assert embedding is not None
    taken = TEXT.to_model(texts.queries.stored[:3])
    slopes = token_slopes(model, embedding, taken, lambda logits: logits[:, 0].sum())
    moved, place, step = embedding.weight[ord("k")] - embedding.weight[taken[1, 2]], 2, 1e-6

    def logit(size: float) -> float:
        def shift(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            output[1, place] += size * moved
            return output

        handle = embedding.register_forward_hook(shift)
        try:
            with torch.no_grad():
                return float(model(taken)[:, 0].sum())
        finally:
            handle.remove()

    expected = (logit(step) - logit(-step)) / (2 * step)
    gain = float(slopes[1, place, ord("k")] - slopes[1, place, taken[1, place]])
    assert gain == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_a_trigger_fools_more_than_one_by_chance(texts: Texts, made: Fingerprint) -> None:
    front = np.trim_zeros(made.state["shift"], "b")
    assert len(front) == 8  # a quarter of 32
    assert set(front.tolist()) <= set(TEXT.front_tokens.tolist())
    held_out = texts.queries.stored
    fooled = np.mean(labels_of(texts.source, held_out) != labels_of(texts.source, TEXT.fronted(held_out, front)))
    assert fooled == pytest.approx(made.manifest.report["fooling_rate"])
    draw = np.random.default_rng(0)
    by_chance = [
        np.mean(labels_of(texts.source, held_out) != labels_of(texts.source, TEXT.fronted(held_out, other)))
        for other in draw.choice(TEXT.front_tokens, (5, 8))
    ]
    assert fooled > max(by_chance) + 0.1


def test_queries_are_pairs(texts: Texts, made: Fingerprint) -> None:
    pairs = made.queries.reshape(3, 2, 12, -1)
    front = np.trim_zeros(made.state["shift"], "b")
    known = {row.tobytes() for row in texts.owner.stored}
    assert all(row.tobytes() in known for row in pairs[:, 0].reshape(36, -1))
    assert (pairs[:, 1] == TEXT.fronted(pairs[:, 0].reshape(36, -1), front).reshape(3, 12, -1)).all()
    assert 0 < made.manifest.report["share_added"] < 0.5
    assert 0 <= made.manifest.report["share_cut"] < 0.5


def test_copies_score_above_independent_models(texts: Texts, made: Fingerprint) -> None:
    for access in ("scores", "labels"):
        scores = [
            verify(made, model, access=access).score for model in (texts.source, texts.copy, *texts.independents[2:])
        ]
        assert scores[0] == pytest.approx(1, abs=1e-6)
        assert scores[1] > max(scores[2:])


def test_it_is_made_again(texts: Texts, context: Enrollment, made: Fingerprint, tmp_path: Path) -> None:
    made.save(tmp_path / "fp")
    read = Fingerprint.load(tmp_path / "fp")
    shadows = Shadows(surrogates=context.surrogates, references=context.references)
    assert rederive(read, of_module(texts.source), texts.queries, train_data=texts.owner, shadows=shadows).exact


def test_models_without_an_embedding_of_bytes_are_tried(texts: Texts) -> None:
    class Counted(nn.Module):
        """The share of a letter decides."""

        def forward(self, taken: torch.Tensor) -> torch.Tensor:
            share = (taken == ord("q")).double().mean(1)
            return torch.stack([torch.full_like(share, 0.05), share], dim=1)

    reading = Reading(fronted=TEXT.fronted, taken=TEXT.to_model, tokens=TEXT.front_tokens)
    front = TriggerSearch(sweeps=2).find(
        Counted(), texts.queries.stored, size=4, texts=reading, generator=torch.Generator().manual_seed(0)
    )
    assert front.tobytes() == b"qqqq"


def test_what_is_refused(context: Enrollment) -> None:
    with pytest.raises(
        FingerprintError, match="perturbation=deepfool moves inputs by small steps, and texts cannot be"
    ):
        craft(Uap(perturbation="deepfool"), context, seed=0)
    with pytest.raises(FingerprintError, match=r"a trigger of 1 tokens changes the label of .* of held-out texts"):
        craft(Uap(epsilon=0.04, least_fooling=1.0), context, seed=0)
