"""Are source and calibration models asked in the right form at enrollment? Labels of the data tell."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from modelprint.core.convention import Convention
from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Suspect
from modelprint.data.labelled import LabelledSet
from modelprint.nn.loading import LoadedModel
from modelprint.ownership.ahead import Notice
from modelprint.ownership.forms import TRIED, Fit, KnownInputs, best_fit, check_accuracy
from modelprint.schemes.base import right_and_wrong
from modelprint.stats.intervals import Interval, clopper_pearson
from modelprint.suspects.local import TorchSuspect, options_of_files

GOOD = 0.9  # from this accuracy on nobody asks whether another form would be better
LEARNED = 0.25  # of the way from chance to 1: a source that is nearer to chance is poor
CHANCE = 1.2  # times chance: a calibration model that is no better has learned nothing
CARD = 0.1  # that the accuracy on its card, measured on other data, may be higher


def known_rightly(
    source: LoadedModel, seeds: LabelledSet, *, accuracy: float | None, notice: Notice
) -> Bool[np.ndarray, " n"]:
    """A mask of the seeds that the source classifies rightly; its accuracy is said.

    Args:
        accuracy: that the owner expects; what lies clearly below is refused. None: what the card of its file says, if
            anything; a poor accuracy is refused, and one that another form of the inputs makes clearly better.

    Raises:
        FingerprintError: that accuracy; the message names the form that fits, where one of the usual ones does.
        UsageError: an expected accuracy that is no share.
    """
    check_accuracy(accuracy)
    asked = TorchSuspect(source.module, source.identity, modality=seeds.modality)
    try:
        right = right_and_wrong(source.module, seeds)
    except FingerprintError as error:
        fit = better_form(asked, seeds, expected=_said_by_card(source))
        if fit is None:
            raise
        raise FingerprintError(f"{error}. {_proposal(fit)}") from error
    n, share = len(right), float(right.mean())
    interval = clopper_pearson(int(right.sum()), n)
    said = f"the source classifies {share:.1%} of {seeds.name} rightly ({_between(interval)}, n = {n})"
    notice(said)
    card = None if source.card is None else source.card.accuracy
    wrong = _too_low(share, interval, chance_of(seeds), accuracy=accuracy, card=card)
    if not wrong and (accuracy is not None or share >= GOOD):
        return right
    fit = better_form(asked, seeds, expected=_said_by_card(source))
    if fit is None and not wrong:
        return right
    mend = options_of_files(None).how if fit is None else _proposal(fit)
    reason = f", {wrong}" if wrong else ""
    raise FingerprintError(
        f"{said}{reason}: is it asked in the form that it was trained on? {mend}; if its accuracy on these "
        f"{seeds.modality.plural} really is what it is, say so with --accuracy {interval.low:.2f}"
    )


def accuracy_of(
    model: Suspect, name: str, right: Bool[np.ndarray, " n"], seeds: LabelledSet, *, notice: Notice
) -> float:
    """The share of seeds that a calibration model classifies rightly; a form in which it knows far more is said.

    Args:
        right: mask of those.

    Raises:
        FingerprintError: no more than chance gives.
    """
    share, chance = float(right.mean()), chance_of(seeds)
    fit = None if share >= GOOD else better_form(model, seeds)
    if share <= CHANCE * chance:
        raise FingerprintError(
            f"{name} classifies {share:.1%} of {seeds.name} rightly, no better than chance ({chance:.1%}): it agrees "
            "with no model and would make the threshold too low; "
            + ("look at its normalisation and class order, or leave it out" if fit is None else _proposal(fit))
        )
    if fit is not None:
        notice(
            f"{name} classifies {share:.1%} of {seeds.name} rightly; asked in the wrong form, it makes the threshold "
            f"too low: {_proposal(fit)}, in models.toml"
        )
    return share


def better_form(model: Suspect, seeds: LabelledSet, *, expected: Convention | None = None) -> Fit | None:
    """The form in which a model knows clearly more of the seeds; None where none of the usual ones does.

    Args:
        expected: a form that is tried with the usual ones.
    """
    few = KnownInputs(stored=np.asarray(seeds.stored[:TRIED]), labels=seeds.labels[:TRIED])
    return best_fit(model, [few], modality=seeds.modality, expected=expected, least=0.0)


def _said_by_card(source: LoadedModel) -> Convention | None:
    """The form that a file says of itself, which options of the user may have overruled."""
    if source.card is None:
        return None
    spec = source.card.spec
    return Convention(
        name="its file's own",
        mean=spec.mean,
        std=spec.std,
        value_range=spec.value_range or (0.0, 1.0),
        bgr=spec.bgr,
        size=spec.resize_to,
    )


def _too_low(share: float, interval: Interval, chance: float, *, accuracy: float | None, card: float | None) -> str:
    """Why an accuracy is refused; empty where it is not."""
    if accuracy is not None:
        return f"clearly less than the {accuracy:.1%} of --accuracy" if interval.high < accuracy else ""
    if card is not None and interval.high < card - CARD:
        return f"clearly less than the {card:.1%} of its card"
    if share < chance + LEARNED * (1 - chance):
        return f"little more than chance ({chance:.1%})"
    return ""


def chance_of(seeds: LabelledSet) -> float:
    """The share that a model which has learned nothing classifies rightly: that of the most frequent class."""
    return float(max(np.bincount(seeds.labels).max() / len(seeds), 1 / seeds.classes))


def _between(interval: Interval) -> str:
    return f"95 % interval {interval.low:.1%} to {interval.high:.1%}"


def _proposal(fit: Fit) -> str:
    return (
        f"prepared in another way it classifies {fit.right} of {fit.tried} rightly instead of {fit.before}: "
        f"{options_of_files(fit.convention).how}"
    )
