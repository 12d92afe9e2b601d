"""Sources and suspects that answer at random, block gradients, or answer with class names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError, SuspectError
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import verify
from tests.conftest import Digits


class Around(nn.Module):
    """A network whose answers something is done to."""

    def __init__(self, inner: nn.Module, what: str) -> None:
        super().__init__()
        self.inner = inner
        self.what = what

    def forward(self, inputs: Tensor) -> Tensor | dict[str, Tensor]:
        logits = self.inner(inputs)
        if self.what == "random":
            return nn.functional.dropout(logits, 0.3)
        if self.what == "detached":
            return logits.detach()
        return {"logits": nn.functional.dropout(logits, 0.3, training=self.training)}


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="akh", budget=40, negatives=digits.strangers)


def test_a_source_that_answers_at_random_is_refused(digits: Digits):
    with pytest.raises(ModelError, match="answers differ between two identical calls"):
        enroll(Around(digits.source, "random"), digits.queries, scheme="akh", budget=20)


def test_a_source_without_gradients_is_refused_by_schemes_that_need_them(digits: Digits):
    blocked = Around(digits.source, "detached")
    with pytest.raises(ModelError, match=r"forward blocks gradients \(torch.no_grad or detach\)"):
        enroll(blocked, digits.queries, scheme="adv-tra", settings={"trajectories": "2"})
    assert len(enroll(blocked, digits.queries, scheme="akh", budget=20)) == 20


def test_a_model_in_training_mode_is_put_into_evaluation_mode(digits: Digits, fingerprint: Fingerprint):
    module = Around(digits.source, "mapping").train()
    assert len(enroll(module, digits.queries, scheme="akh", budget=20)) == 20
    verdict = verify(fingerprint, module.train(), alpha=0.25)
    assert verdict.message == verify(fingerprint, digits.source, alpha=0.25).message
    assert "Note" not in verdict.message


def test_a_suspect_that_answers_at_random_is_said(digits: Digits, fingerprint: Fingerprint):
    verdict = verify(fingerprint, Around(digits.source, "random"), alpha=0.25)
    assert "Note: answers differ between two identical calls" in verdict.message


def test_a_callable_may_answer_with_class_names(digits: Digits, fingerprint: Fingerprint):
    names = np.array(digits.queries.class_names)

    def labels(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return digits.source(torch.from_numpy(images).float() / 255).argmax(1).numpy()

    by_name = verify(fingerprint, lambda images: names[labels(images)], alpha=0.25)
    assert by_name.score == verify(fingerprint, labels, alpha=0.25).score
    with pytest.raises(SuspectError, match="answered class 'cat', the fingerprint has 0, 1"):
        verify(fingerprint, lambda images: ["cat"] * len(images))


def test_a_callable_that_raises_is_one_clear_line(fingerprint: Fingerprint):
    def broken(images: np.ndarray) -> np.ndarray:
        raise KeyError("no such\nkey")

    with pytest.raises(SuspectError, match=r"failed: KeyError: 'no such") as caught:
        verify(fingerprint, broken)
    assert "\n" not in str(caught.value)
