"""Several owners of digits models, and suspects made from one, from two, and from none of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import modelprint
from modelprint import Fingerprint, enroll, identify
from modelprint.attacks import run_attack
from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, ModelError, SuspectError, UsageError
from modelprint.core.suspect import Answers, Cost, Suspect
from modelprint.nn.files import save_model
from modelprint.nn.spec import build
from modelprint.ownership.ask import record_answers
from modelprint.ownership.identify import cost
from modelprint.schemes.adv_tra import AdvTra
from modelprint.training.train import TrainedModel, default_recipe, train_model
from tests.conftest import Digits

SCHEME = AdvTra(trajectories=12, l=4, m=4)
ALPHA = 0.25  # two owners, seven calibration models: 2 / 8


@dataclass(frozen=True, kw_only=True)
class Owners:
    """Ann and Bob trained for themselves; Eve's model is a copy of Ann's, which she enrolled as her own."""

    ann: Fingerprint
    bob: Fingerprint
    eve: Fingerprint
    eves_model: nn.Module
    copy: TrainedModel


@pytest.fixture(scope="module")
def owners(digits: Digits) -> Owners:
    recipe = default_recipe(digits.owner, epochs=10)
    trained = [train_model(digits.owner, digits.spec, recipe, seed=seed).model for seed in range(20, 25)]
    strangers = (*digits.strangers, *trained[:4])
    eves = run_attack("ftal", {"epochs": "2"}, digits.source, digits.spec, digits.attacker, seed=5).model
    prints = [
        enroll(model, digits.queries, scheme=SCHEME, negatives=strangers, seed=seed)
        for seed, model in enumerate((digits.source, trained[4], eves))
    ]
    copy = run_attack("ftal", {"epochs": "2"}, digits.source, digits.spec, digits.attacker, seed=1)
    return Owners(ann=prints[0], bob=prints[1], eve=prints[2], eves_model=eves, copy=copy)


def rebound(fingerprint: Fingerprint, *, classes: int = 10, side: int = 8) -> Fingerprint:
    """The same for another kind of input."""
    fields = fingerprint.manifest.model_dump(mode="json", exclude={"tensors"})
    names = fields["input"]["class_names"][:classes]
    return Fingerprint.bind(
        {**fields, "input": {"channels": 1, "height": side, "width": side, "class_names": names}},
        queries=np.ascontiguousarray(fingerprint.queries[:, :, :side, :side]),
        true_labels=fingerprint.true_labels % classes,
        source=Answers(labels=fingerprint.source.labels % classes),
        state=fingerprint.state,
        calibration=tuple(Answers(labels=answers.labels % classes) for answers in fingerprint.calibration),
    )


def saved(path: Path, trained: TrainedModel) -> Path:
    save_model(path, trained.model, trained.card)
    return path


def test_a_copy_is_its_owners(owners: Owners, tmp_path: Path) -> None:
    owners.ann.save(tmp_path / "ann")
    owners.bob.save(tmp_path / "bob")
    found = modelprint.identify(owners.copy.model, [tmp_path / "bob", tmp_path / "ann"], alpha=ALPHA)
    assert found.verdict == "derived"
    assert found.owner is not None
    assert (found.owner.fingerprint, found.owner.sha256) == (str(tmp_path / "ann"), owners.ann.identity)
    first, second = found.candidates
    assert (first.p_value, first.adjusted_p_value, first.verdict) == (0.125, 0.25, "derived")
    assert (second.fingerprint, second.verdict) == (str(tmp_path / "bob"), "not-shown")
    assert first.calibration == second.calibration == 7
    assert (first.queries, first.source) == (len(owners.ann), owners.ann.manifest.source)


def test_an_innocent_is_nobodys(digits: Digits, owners: Owners) -> None:
    innocent = train_model(digits.owner, digits.spec, default_recipe(digits.owner, epochs=10), seed=31).model
    found = identify(innocent, [owners.ann, owners.bob], alpha=ALPHA)
    assert (found.verdict, found.owner) == ("not-shown", None)
    assert all(one.score is not None and one.fingerprint is None for one in found.candidates)


def test_a_copy_of_a_copy_is_said_to_be_one(owners: Owners) -> None:
    found = identify(owners.eves_model, [owners.ann, owners.bob, owners.eve], alpha=3 / 8)
    assert found.verdict == "derived"
    assert [one.sha256 for one in found.candidates[:2]] == [owners.eve.identity, owners.ann.identity]
    assert "copy of a copy" in found.message
    assert owners.ann.identity in found.message


def test_one_fingerprint_says_what_verify_says(owners: Owners) -> None:
    found = identify(owners.copy.model, owners.ann, alpha=0.125)
    alone = modelprint.verify(owners.ann, owners.copy.model, alpha=0.125)
    assert (found.verdict, found.suspect) == (alone.verdict, alone.suspect)
    (one,) = found.candidates
    assert (one.score, one.p_value, one.adjusted_p_value) == (alone.score, alone.p_value, alone.p_value)


def test_more_owners_need_more_calibration_models(owners: Owners) -> None:
    found = identify(owners.copy.model, [owners.ann, owners.bob], alpha=0.1)
    assert (found.verdict, found.owner) == ("inconclusive", None)
    assert "7 calibration models, but an error rate of 0.1 over 2 owners needs at least 19" in found.message
    bare = identify(owners.copy.model, [owners.ann, owners.bob.recalibrated((), ())], alpha=ALPHA)
    assert [one.verdict for one in bare.candidates] == ["derived", "inconclusive"]
    assert "0 calibration models" in bare.candidates[1].message


def test_fingerprints_of_other_tasks_are_listed_with_the_reason(owners: Owners, tmp_path: Path) -> None:
    path = saved(tmp_path / "copy.safetensors", owners.copy)
    seven, small = rebound(owners.bob, classes=7), rebound(owners.bob, side=6)
    found = identify(path, [seven, small, owners.ann], alpha=0.25)
    assert (found.verdict, found.candidates[0].sha256) == ("derived", owners.ann.identity)
    verdicts = {one.sha256: one.verdict for one in found.candidates}
    assert verdicts == {owners.ann.identity: "derived", small.identity: "not-shown", seven.identity: "not-comparable"}
    reasons = {one.sha256: one.message for one in found.candidates}
    assert "classes differ: 10 by" in reasons[seven.identity]
    assert "are resized to it" in reasons[small.identity]


def test_a_suspect_of_another_task_is_nobodys_to_say(owners: Owners, tmp_path: Path) -> None:
    path = saved(tmp_path / "copy.safetensors", owners.copy)
    seven = rebound(owners.bob, classes=7)
    for suspect in (path, owners.copy.model):  # a module is found out when it is asked
        found = identify(suspect, [seven], alpha=0.125)
        assert (found.verdict, found.owner) == ("inconclusive", None)
        assert found.candidates[0].verdict == "not-comparable"
        assert "none of the fingerprints can be compared" in found.message


def test_a_suspect_that_cannot_be_opened_or_asked_is_an_error(digits: Digits, owners: Owners, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"missing\.safetensors"):
        identify(tmp_path / "missing.safetensors", [owners.ann, rebound(owners.bob, classes=7)])
    broken = build(digits.spec).eval()
    next(broken.parameters()).data.fill_(float("nan"))
    with pytest.raises(SuspectError, match="NaN"):
        identify(broken, [owners.ann, owners.bob])
    with pytest.raises(FingerprintError, match="is no fingerprint"):
        identify(broken, tmp_path / "nothing")


class Spy(Suspect):
    """Answers as the source does; counts what it is asked and told."""

    identity = "spy"
    free = False

    def __init__(self, owners: Owners) -> None:
        self.labels: dict[bytes, int] = {}
        for print_ in (owners.ann, owners.bob):
            assert print_.plain is not None
            known = zip(
                [*print_.queries, *print_.plain.stored], [*print_.source.labels, *print_.plain.labels], strict=True
            )
            self.labels |= {image.tobytes(): label for image, label in known}
        self.asked: list[int] = []
        self.levels: set[Access] = set()
        self.finished = 0

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        self.asked.append(len(images))
        self.levels.add(access)
        return Answers(labels=np.array([self.labels[image.tobytes()] for image in images]))

    def finish(self) -> None:
        self.finished += 1


def test_the_suspect_is_asked_each_fingerprints_queries_and_told_the_end_once(owners: Owners) -> None:
    spy = Spy(owners)
    found = identify(spy, [owners.ann, owners.bob], alpha=ALPHA)
    assert sum(spy.asked) == len({*owners.ann.hashes, *owners.bob.hashes})  # what both ask, once
    assert (spy.levels, spy.finished) == ({Access.LABELS}, 1)
    assert [one.verdict for one in found.candidates] == ["derived", "derived"]


def test_files_are_opened_once(owners: Owners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelprint.ownership import opening

    opened: list[str] = []
    really = opening.open_suspect
    monkeypatch.setattr(opening, "open_suspect", lambda name, options: opened.append(name) or really(name, options))
    path = saved(tmp_path / "copy.safetensors", owners.copy)
    assert identify(path, [owners.ann, owners.bob, owners.eve], alpha=3 / 8).verdict == "derived"
    assert opened == [str(path)]


def test_a_recording_answers_only_the_fingerprint_that_it_was_made_for(owners: Owners, tmp_path: Path) -> None:
    record_answers(owners.ann, owners.copy.model, out=tmp_path / "answers.jsonl")
    found = identify(tmp_path / "answers.jsonl", [owners.bob, owners.ann], alpha=0.125)
    assert found.verdict == "derived"
    assert [one.verdict for one in found.candidates] == ["derived", "not-comparable"]
    assert "answers to other queries" in found.candidates[1].message


def test_the_budget_is_of_each_fingerprint(owners: Owners) -> None:
    found = identify(owners.copy.model, [owners.ann, owners.bob], alpha=ALPHA, budget=100)
    points = SCHEME.points(10)
    assert [one.queries for one in found.candidates] == [100 // points * points] * 2


def test_words_that_do_not_fit_together(owners: Owners) -> None:
    with pytest.raises(UsageError, match="no fingerprint"):
        identify(owners.copy.model, [])
    with pytest.raises(UsageError, match="name each once"):
        identify(owners.copy.model, [owners.ann, owners.ann])
    with pytest.raises(UsageError, match="alpha"):
        identify(owners.copy.model, [owners.ann], alpha=0)


def test_what_asking_all_of_them_would_take_is_told_and_nothing_asked(owners: Owners) -> None:
    class Silent(Suspect):
        identity, access, free = "sha256:silent", Access.LABELS, False

        def _ask(self, images: np.ndarray, access: Access) -> Answers:
            raise AssertionError("asked")

        def cost(self, images: np.ndarray, *, access: Access) -> Cost:
            return Cost(queries=len(images), requests=2, bytes=10, seconds=1.5)

    found = cost(Silent(), [owners.ann, owners.bob])
    asked = len(owners.ann.hashes) + len(owners.bob.hashes)
    assert found == Cost(queries=asked, requests=8, bytes=40, seconds=6.0)
    with pytest.raises(UsageError, match="the same as"):
        cost(Silent(), [owners.ann, owners.ann])
