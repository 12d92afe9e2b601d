"""What unperturbed inputs show of a suspect: other class numbers, weak models, spoiled copies, recordings, dropout."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi import FastAPI, Request
from torch import Tensor, nn
from torch.nn import functional

from modelprint import Fingerprint, enroll, verify
from modelprint.core.access import Access
from modelprint.core.errors import UsageError
from modelprint.core.suspect import Answers, Suspect
from modelprint.nn.architectures import Normalized
from modelprint.ownership.ask import record_answers
from modelprint.ownership.forms import falls_short, look
from modelprint.ownership.hearing import least_kept
from modelprint.ownership.identify import identify
from modelprint.ownership.verify import examine
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.open import SuspectOptions
from modelprint.training.loop import predict
from modelprint.training.train import default_recipe, train_model
from tests.conftest import Digits
from tests.suspects.servers import running

ALPHA = 0.25  # three strangers calibrate
Labels = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme=AdvTra(trajectories=15, l=6), negatives=digits.strangers)


@pytest.fixture(scope="module")
def other(digits: Digits) -> Normalized:
    """An independent model."""
    return train_model(digits.owner, digits.spec, default_recipe(digits.owner, epochs=10), seed=9).model


def labels_of(model: nn.Module) -> Labels:
    return lambda images: predict(model, torch.from_numpy(np.ascontiguousarray(images))).argmax(1).numpy()


def test_a_fingerprint_keeps_unperturbed_inputs_that_the_source_knows(
    digits: Digits, fingerprint: Fingerprint, tmp_path: Path
) -> None:
    plain = fingerprint.plain
    assert plain is not None
    assert len(plain.among) + len(plain.labels) == 32
    assert (fingerprint.state["position"][plain.among] == 0).all()  # where trajectories start
    assert (labels_of(digits.source)(plain.stored) == plain.labels).all()
    assert np.bincount(plain.labels, minlength=10).min() >= 1
    fingerprint.save(tmp_path / "fp")
    loaded = Fingerprint.load(tmp_path / "fp")
    assert loaded.plain is not None
    assert (loaded.plain.stored == plain.stored).all()
    assert loaded.hashes == fingerprint.hashes


def test_the_test_is_the_binomial_one() -> None:
    from scipy import stats

    for right, answered in ((21, 32), (22, 32), (76, 100), (78, 100)):
        expected = stats.binomtest(right, answered, 0.85, alternative="less").pvalue <= 0.01
        assert falls_short(right, answered) == expected
    assert not look(np.array([1, 2, 3]), np.array([1, 1, 1])).short  # three tell nothing


def test_one_that_knows_less_than_the_weakest_calibration_model_is_doubted(
    digits: Digits, fingerprint: Fingerprint
) -> None:
    assert least_kept(fingerprint) == 0.95  # all three know nearly as much as the source
    first, *others = fingerprint.manifest.calibration
    weakest = first.model_copy(update={"accuracy": 0.9 * fingerprint.manifest.source_accuracy})
    weaker = fingerprint.recalibrated((weakest, *others), fingerprint.calibration)
    assert least_kept(weaker) == pytest.approx(0.9)
    assert falls_short(26, 32, least=0.95)
    assert not falls_short(26, 32, least=0.85)


def test_a_form_that_hurts_a_little_is_found_on_this_machine(digits: Digits) -> None:
    """Three of four images are known in the wrong form: no server's answers would show it."""
    made = enroll(digits.source, digits.queries, scheme="fbi", negatives=digits.strangers)
    hurt = Normalized(digits.source, (0.0,), (1.0,), value_range=(0.12, 1.12))
    seen = verify(made, hurt, alpha=ALPHA)
    assert seen.form is not None
    assert 0.6 < seen.form.right / seen.form.answered < 0.93
    assert seen.verdict == "inconclusive"
    assert seen.form.proposal == "--mean 0 --std 1 --range 0 1"


def test_classes_in_another_order_are_no_wrong_form(digits: Digits, fingerprint: Fingerprint) -> None:
    order = np.roll(np.arange(10), 3)
    copy = verify(fingerprint, lambda images: order[labels_of(digits.source)(images)], alpha=ALPHA)
    assert copy.verdict == "derived"
    assert copy.class_matching is not None
    assert copy.form is not None
    assert (copy.form.right, copy.form.doubted) == (copy.form.answered, False)


def test_a_function_in_the_wrong_form_is_told_what_to_do(
    digits: Digits, fingerprint: Fingerprint, other: Normalized
) -> None:
    for model, right in ((digits.source, "derived"), (other, "not-shown")):

        def takes_half(images: np.ndarray, model: nn.Module = model) -> np.ndarray:
            """It wants -1 to 1, and gets what it is given."""
            points = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)) / 2 + 0.5
            return predict(model, points.clamp(0, 1)).argmax(1).numpy()

        blind = verify(fingerprint, takes_half, alpha=ALPHA)
        assert blind.verdict == "inconclusive"
        assert "let your function prepare what it gets as --mean 0.5 --std 0.5 --range 0 1 says" in blind.message
        mended = verify(fingerprint, lambda images: takes_half(images / 127.5 - 1), alpha=ALPHA)
        assert mended.verdict == right


class Spoiled(Suspect):
    """A copy out of reach that knows some unperturbed inputs again, and answers these wrongly."""

    identity, free = "spoiled", False

    def __init__(self, model: nn.Module, known: np.ndarray) -> None:
        self.labels, self.known = labels_of(model), {image.tobytes() for image in known}

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        labels = self.labels(images)
        wrong = np.array([image.tobytes() in self.known for image in images])
        return Answers(labels=np.where(wrong, (labels + 1 + np.arange(len(labels)) % 3) % 10, labels))


def test_a_copy_that_spoils_half_of_them_is_derived_all_the_same(digits: Digits, fingerprint: Fingerprint) -> None:
    assert fingerprint.plain is not None
    seen = verify(fingerprint, Spoiled(digits.source, fingerprint.plain.stored), alpha=ALPHA)
    assert seen.form is not None
    assert (seen.form.right, seen.form.doubted) == (15, True)
    assert seen.verdict == "derived"
    assert "the verdict stands" in seen.message


def test_one_that_spoils_all_of_them_is_said_to_be_no_sign_of_independence(
    digits: Digits, fingerprint: Fingerprint
) -> None:
    seen = verify(fingerprint, Spoiled(digits.source, digits.queries.stored), alpha=ALPHA)
    assert (seen.verdict, seen.asked) == ("inconclusive", 15)
    assert "spoiled so that it answers like this looks the same: this is no sign of independence" in seen.message


class Weak(nn.Module):
    """An independent model that gets a third of the classes wrong."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(inputs)
        return logits[:, [1, 2, 3, 0, 4, 5, 6, 7, 8, 9]]


def test_a_weak_independent_model_is_judged_where_its_accuracy_is_said(
    fingerprint: Fingerprint, other: Normalized
) -> None:
    weak = Weak(other)
    doubted = verify(fingerprint, weak, alpha=ALPHA)
    assert doubted.verdict == "inconclusive"
    assert (doubted.score, doubted.p_value) == (None, None)
    assert doubted.answered == doubted.asked == len(fingerprint)
    assert doubted.form is not None
    said = doubted.form.right / doubted.form.answered
    assert f"say --accuracy {said:.2f}" in doubted.message
    assert '"form":' in doubted.to_json()
    assert verify(fingerprint, weak, alpha=ALPHA, accuracy=0.6).verdict == "not-shown"
    with pytest.raises(UsageError, match=r"0\.97 for 97 %"):
        verify(fingerprint, weak, accuracy=60)


def test_recordings_hold_the_answers_to_unperturbed_inputs(
    digits: Digits, fingerprint: Fingerprint, other: Normalized, tmp_path: Path
) -> None:
    swapped = Normalized(digits.source, (0.0,), (1.0,), value_range=(1.0, 0.0))
    for model, verdict in ((digits.source, "derived"), (other, "not-shown"), (swapped, "inconclusive")):
        count = record_answers(fingerprint, model, out=tmp_path / "answers.jsonl")
        assert count == len(fingerprint)
        judged = verify(fingerprint, str(tmp_path / "answers.jsonl"), alpha=ALPHA)
        assert judged.verdict == verdict, judged.message
        assert judged.form is not None
        assert judged.form.answered == 32
    assert "asked in the wrong form?" in judged.message


def test_old_fingerprints_say_that_the_form_was_not_checked(digits: Digits, fingerprint: Fingerprint) -> None:
    fields = fingerprint.manifest.model_dump(mode="json", exclude={"tensors", "weights", "seeds", "source_form"})
    old = Fingerprint.bind(
        fields, queries=fingerprint.queries, true_labels=fingerprint.true_labels, source=fingerprint.source,
        state=fingerprint.state, calibration=fingerprint.calibration,
    )  # fmt: skip
    swapped = Normalized(digits.source, (0.0,), (1.0,), value_range=(1.0, 0.0))
    seen = verify(old, swapped, alpha=ALPHA)
    assert seen.verdict == "not-shown"
    assert "whether it was asked in the right form was not checked" in seen.message
    assert seen.form is None


def test_a_budget_leaves_room_for_them_or_says_so(fingerprint: Fingerprint, other: Normalized) -> None:
    whole = AdvTra(trajectories=15, l=6).points(10)
    seen = verify(fingerprint, other, alpha=ALPHA, budget=2 * whole + 10)
    assert seen.asked == 2 * whole
    assert seen.form is not None
    assert (seen.form.answered, seen.form.beside) == (12, 10)
    assert "too few unperturbed images" in verify(fingerprint, other, alpha=ALPHA, budget=2 * whole).message


def test_identify_doubts_the_form_as_verify_does(digits: Digits, fingerprint: Fingerprint) -> None:
    swapped = Normalized(digits.source, (0.0,), (1.0,), value_range=(1.0, 0.0))
    found = identify(swapped, [fingerprint], alpha=ALPHA)
    assert found.verdict == "inconclusive"
    assert "say --mean 0 --std 1 --range 0 1 (0 to 1)" in found.candidates[0].message


class Dropping(nn.Module):
    """A network whose dropout is exported as it trains."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.dropout(self.model(inputs), 0.3, training=True)


@pytest.fixture(scope="module")
def random_file(other: Normalized, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "random.onnx"
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the older exporter keeps dropout, and says that it is old
        torch.onnx.export(
            Dropping(other), (torch.zeros(2, 1, 8, 8),), buffer, dynamo=False, input_names=["images"],
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, dynamic_axes={"images": {0: "n"}},
        )  # fmt: skip
    path.write_bytes(buffer.getvalue())
    return path


def test_dropout_left_on_in_a_file_leaves_no_verdict(
    fingerprint: Fingerprint, other: Normalized, random_file: Path
) -> None:
    for suspect in (str(random_file), Dropping(other)):
        seen = examine(fingerprint, suspect, alpha=ALPHA)
        assert seen.unsteady
        assert seen.verdict.verdict == "inconclusive"
        assert "answers differ between two identical calls" in seen.verdict.message


def test_a_server_that_answers_at_random_is_asked_twice(
    fingerprint: Fingerprint, other: Normalized, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    app, random, served = FastAPI(), Dropping(other), {"images": 0}

    @app.post("/invocations")
    async def predict(request: Request) -> dict[str, list[int]]:
        inputs = torch.tensor((await request.json())["inputs"], dtype=torch.float32)
        served["images"] += len(inputs)
        with torch.inference_mode():
            return {"predictions": random(inputs).argmax(1).tolist()}

    with running(app) as url:
        seen = examine(fingerprint, f"{url}/invocations", alpha=ALPHA, options=SuspectOptions(api="mlflow"))
    assert seen.unsteady
    assert seen.verdict.verdict == "inconclusive"
    assert seen.verdict.asked is not None
    assert seen.verdict.form is not None
    assert served["images"] == seen.verdict.asked + seen.verdict.form.beside + 8
