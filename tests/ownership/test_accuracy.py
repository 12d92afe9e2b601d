"""A source is enrolled in the form that it was trained on, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats
from torch import Tensor, nn

from modelprint.core.errors import FingerprintError, UsageError
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard
from modelprint.nn.loading import LoadedModel, of_module
from modelprint.ownership.accuracy import known_rightly
from modelprint.ownership.enroll import enroll
from modelprint.ownership.negatives import unheard
from modelprint.ownership.recalibrate import recalibrated
from modelprint.ownership.remarks import remarks
from tests.conftest import Digits


class Bytes(nn.Module):
    """A network that wants 0 to 255."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.body(inputs / 255)
        return logits


def test_its_accuracy_is_said_with_an_interval(digits: Digits) -> None:
    heard: list[str] = []
    right = known_rightly(of_module(digits.source), digits.queries, accuracy=None, notice=heard.append)
    interval = stats.binomtest(int(right.sum()), len(right)).proportion_ci(method="exact")
    assert heard == [
        f"the source classifies {right.mean():.1%} of {digits.queries.name} rightly "
        f"(95 % interval {interval.low:.1%} to {interval.high:.1%}, n = 150)"
    ]


def test_a_source_without_its_normalisation_is_refused_with_what_to_say(digits: Digits) -> None:
    with pytest.raises(FingerprintError, match=r"prepared in another way .* say --mean 0 --std 1 --range 0 255 "):
        enroll(Bytes(digits.source), digits.queries, scheme="fbi")
    right = Normalized(Bytes(digits.source), (0.0,), (1.0,), value_range=(0.0, 255.0))
    assert enroll(right, digits.queries, scheme="fbi").manifest.seeds == 150


@pytest.fixture(scope="module")
def poor(digits: Digits) -> LoadedModel:
    """It knows about 3 of 10 classes."""
    shifted = nn.Sequential(digits.source, Shuffled(7))
    return of_module(shifted.eval())


class Shuffled(nn.Module):
    """Gives the score of each of the first classes to the next one."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.order = [(one - 1) % first if one < first else one for one in range(10)]

    def forward(self, logits: Tensor) -> Tensor:
        return logits[:, self.order]


def test_a_poor_source_is_refused_unless_its_owner_says_so(digits: Digits, poor: LoadedModel) -> None:
    with pytest.raises(FingerprintError, match=r"little more than chance .*--mean.* say so with --accuracy 0\.16"):
        enroll(poor, digits.queries, scheme="fbi")
    enrolled = enroll(poor, digits.queries, scheme="fbi", accuracy=0.25)
    assert enrolled.manifest.enrollment is not None
    assert enrolled.manifest.enrollment.accuracy == 0.25


def test_what_lies_clearly_below_the_accuracy_that_is_said_is_refused(digits: Digits, poor: LoadedModel) -> None:
    with pytest.raises(FingerprintError, match=r"clearly less than the 97\.0% of --accuracy"):
        known_rightly(poor, digits.queries, accuracy=0.97, notice=unheard)
    known_rightly(of_module(digits.source), digits.queries, accuracy=0.97, notice=unheard)
    with pytest.raises(UsageError, match=r"0\.97 for 97 %"):
        enroll(digits.source, digits.queries, accuracy=97)


def test_the_card_of_a_file_says_what_to_expect(digits: Digits) -> None:
    half = of_module(nn.Sequential(digits.source, Shuffled(4)).eval())
    known_rightly(half, digits.queries, accuracy=None, notice=unheard)
    card = ModelCard(spec=digits.spec, accuracy=0.95)
    with pytest.raises(FingerprintError, match=r"clearly less than the 95\.0% of its card"):
        known_rightly(replace(half, card=card), digits.queries, accuracy=None, notice=unheard)


def test_a_calibration_model_in_the_wrong_form_is_said(digits: Digits) -> None:
    heard: list[str] = []
    blunt = Normalized(digits.strangers[0], (0.0,), (1.0,), value_range=(0.6, 1.6))
    made = enroll(digits.source, digits.queries, scheme="fbi", negatives=[blunt], notice=heard.append)
    accuracy = made.manifest.calibration[0].accuracy
    assert accuracy is not None
    assert accuracy < 0.8
    (said,) = [line for line in heard if "in models.toml" in line]
    assert said.startswith(f"model-0 classifies {accuracy:.1%} of digits:queries rightly; asked in the wrong form")
    assert "say --mean 0 --std 1 --range 0 1 (0 to 1)" in said
    with pytest.raises(FingerprintError, match=r"no better than chance .* say --mean 0 --std 1 --range 0 255 "):
        enroll(digits.source, digits.queries, scheme="fbi", negatives=[Bytes(digits.strangers[0])])


def test_a_judges_calibration_model_in_the_wrong_form_is_said_by_the_queries_themselves(digits: Digits) -> None:
    made = enroll(digits.source, digits.queries, scheme="fbi")
    blunt = Normalized(digits.strangers[1], (0.0,), (1.0,), value_range=(0.6, 1.6))
    judged = recalibrated(made, [digits.strangers[0], blunt])
    assert "model-1 classifies" in remarks(judged)[-1]
    assert "of 96 unperturbed images rightly" in remarks(judged)[-1]
    assert not any("model-0 classifies" in remark for remark in remarks(judged))
