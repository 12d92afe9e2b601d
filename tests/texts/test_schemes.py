"""Schemes on texts: trajectories by swaps, and those that choose among texts."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint.core.errors import FingerprintError
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import texts_of
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.negatives import of_module
from modelprint.ownership.rederive import rederive
from modelprint.ownership.verify import examine, verify
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.render import render_report
from modelprint.training.loop import predict
from tests.texts.conftest import Texts


@pytest.fixture(scope="module")
def walked(texts: Texts) -> Fingerprint:
    return enroll(texts.source, texts.queries, scheme="adv-tra", settings={"trajectories": "12"})


def test_trajectories_are_single_swaps_over_borders(texts: Texts, walked: Fingerprint) -> None:
    group, position = walked.state["group"], walked.state["position"]
    labels = predict(texts.source, torch.from_numpy(walked.queries), modality=TEXT).argmax(1).numpy()
    for number in range(group.max() + 1):
        index = np.flatnonzero(group == number)
        assert position[index].tolist() == list(range(len(index)))
        assert (len(index) - 1) % 4 == 0  # l = 2: legs of 4 swaps
        for before, after in pairwise(index):
            swaps = {one.tobytes() for one in TEXT.swapped(walked.queries[before])}
            assert walked.queries[after].tobytes() in swaps
        for leg in range(1, len(index), 4):
            own, target = labels[index[leg - 1]], walked.state["target"][index[leg]]
            assert labels[index[leg : leg + 4]].tolist() == [own, own, target, target]
        changed = TEXT.share_changed(walked.queries[index[0]], walked.queries[index])
        assert changed.max() <= 0.5
        assert len(set(texts_of(walked.queries[index]))) == len(index)


def test_the_copy_matches_and_independent_models_do_not(texts: Texts, walked: Fingerprint) -> None:
    scores = [verify(walked, model).score for model in (texts.source, texts.copy, *texts.independents)]
    assert scores[0] == pytest.approx(1.001)
    assert scores[1] > 0.4
    assert max(scores[2:]) < scores[1] - 0.2


def test_what_crafting_reports(walked: Fingerprint) -> None:
    report = walked.manifest.report
    assert 0 < report["share_changed"] <= 0.5
    assert report["bits_after"] > report["bits_before"]  # typing errors are unusual
    assert report["steps"] == (walked.state["position"] > 0).sum()
    assert report["backward_evaluations"] > 0


def test_a_budget_holds_whole_trajectories(texts: Texts) -> None:
    made = enroll(texts.source, texts.queries, scheme="adv-tra", budget=30)
    assert 13 < len(made) <= 30
    with pytest.raises(FingerprintError, match=r"none of .* texts ended in a trajectory of l=9"):
        enroll(texts.source, texts.queries.take(slice(0, 40)), scheme="adv-tra", settings={"l": "9"}, budget=12)


def test_it_is_stored_reported_and_made_again(texts: Texts, walked: Fingerprint, tmp_path: Path) -> None:
    walked.save(tmp_path / "fp")
    read = Fingerprint.load(tmp_path / "fp")
    assert read.modality is TEXT
    assert read.manifest.codec == "utf-8"
    now = examine(read, texts.copy)
    case = Case(name="copy", role="suspect", verdict=now.verdict, answers=now.answers, plane_labels=now.plane_labels)
    page = render_report(read, [case], calibration_scores=now.calibration_scores)
    assert "no plane can be laid through texts" in page
    assert "data:image/svg+xml;base64" in page
    assert "starts at a text that the source classifies rightly" in page
    assert "One trajectory, text by text" in page
    assert not re.search(
        "pictures?|pixels?|images?\\b(?!/svg)", re.sub("<style.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    )
    assert rederive(read, of_module(texts.source), texts.queries).exact


@pytest.mark.parametrize("scheme", ["ipguard", "cae", "cort", "modeldiff", "zest", "deepcore", "fit-print", "fit-lime"])
def test_schemes_that_need_small_steps_say_so(texts: Texts, scheme: str) -> None:
    with pytest.raises(FingerprintError, match="texts"):
        enroll(texts.source, texts.queries, scheme=scheme, train_data=texts.owner)


@pytest.mark.parametrize(
    ("scheme", "settings"), [("akh", {"queries": "60"}), ("fbi", {}), ("sac", {"queries": "60"}), ("residual", {})]
)
def test_schemes_that_choose_among_texts(texts: Texts, scheme: str, settings: dict[str, str]) -> None:
    made = enroll(texts.source, texts.queries, scheme=scheme, settings=settings, negatives=list(texts.independents))
    scores = [verify(made, model, access="scores").score for model in (texts.copy, *texts.independents)]
    assert scores[0] > max(scores[1:])


def test_a_function_gets_strings(texts: Texts, walked: Fingerprint) -> None:
    asked: list[object] = []

    def answer(inputs: object) -> np.ndarray:
        texts = list(inputs)  # type: ignore[call-overload]
        asked.extend(texts)
        return np.array([len(text) % 4 for text in texts])

    verify(walked, answer)
    assert texts_of(walked.queries)[0] in asked
    assert all(isinstance(one, str) for one in asked)
