"""Every suspect with every scheme's score and verdict; copies missed and independent models accused, by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from modelprint.report.bench.boxes import group_of
from modelprint.report.drawing.text import NONE, counted, number, percent, plain_name
from modelprint.results.records import JudgedModel
from modelprint.results.view import Setting, View

_COLUMNS = 5  # schemes beside each other in one table


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What became of one suspect under one setting, over all fingerprints that it stood against."""

    scores: Sequence[float]
    derived: int
    verdicts: int


@dataclass(frozen=True, kw_only=True)
class ScoreCell:
    """The mean score, how many of the verdicts were "derived", and whether any was wrong."""

    score: str
    verdicts: str
    wrong: bool


@dataclass(frozen=True, kw_only=True)
class SuspectRow:
    """One suspect; every value as text."""

    id: str
    role: str
    what: str
    accuracy: str
    agreement: str
    cells: Sequence[ScoreCell]


@dataclass(frozen=True, kw_only=True)
class SuspectTable:
    """A few schemes' scores of all suspects."""

    columns: Sequence[str]
    rows: Sequence[SuspectRow]


@dataclass(frozen=True, kw_only=True)
class Errors:
    """A setting's wrong verdicts: names, each with how many of its verdicts were wrong where not all were."""

    name: str
    control: bool
    missed: Sequence[str]
    called_derived: Sequence[str]
    missed_of: int
    called_of: int


@dataclass(frozen=True, kw_only=True)
class SuspectSection:
    """All suspects, and all errors."""

    reading: str
    errors: Sequence[Errors]
    tables: Sequence[SuspectTable]


def suspect_section(view: View) -> SuspectSection:
    """Suspects at each scheme's largest budget."""
    judged = {setting: judgements(view, setting) for setting in view.leading}
    errors = [_errors(view, setting, judgement) for setting, judgement in judged.items()]
    tables = []
    settings = list(judged)
    suspects = sorted(view.results.suspects, key=lambda model: (model.role, model.third_party))
    for start in range(0, max(1, len(settings)), _COLUMNS):
        some = settings[start : start + _COLUMNS]
        rows = [_row(model, [judged[one].get(model.id) for one in some]) for model in suspects]
        tables.append(SuspectTable(columns=[plain_name(one.name) for one in some], rows=rows))
    return SuspectSection(reading=_reading(view, errors), errors=errors, tables=tables)


def judgements(view: View, setting: Setting) -> Mapping[str, Judged]:
    """By suspect: its scores and verdicts over sources and seeds; suspects without a score are left out."""
    scores: dict[str, list[float]] = defaultdict(list)
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for run in view.runs(setting):
        for name, score in run.scores.items():
            if score is not None:
                scores[name].append(score)
                if run.threshold is not None:
                    verdicts[name].append(score > run.threshold)
    return {
        name: Judged(scores=values, derived=sum(verdicts[name]), verdicts=len(verdicts[name]))
        for name, values in scores.items()
    }


def _row(model: JudgedModel, judged_as: Sequence[Judged | None]) -> SuspectRow:
    derived = model.role == "derived"
    return SuspectRow(
        id=plain_name(model.id),
        role="copy" if derived else "independent",
        what=plain_name((model.attack or "") if derived else group_of(model)[1]) + _remark(model),
        accuracy=percent(model.accuracy),
        agreement=NONE if model.agreement is None else percent(model.agreement),
        cells=[_cell(model, one) for one in judged_as],
    )


def _remark(model: JudgedModel) -> str:
    return {"worthless": " (worthless)", "transfer": " (other classes)"}.get(model.counts_as, "")


def _cell(model: JudgedModel, judged_as: Judged | None) -> ScoreCell:
    if judged_as is None:
        return ScoreCell(score="not measured", verdicts="", wrong=False)
    return ScoreCell(
        score=number(fmean(judged_as.scores), digits=3),
        verdicts=f"{judged_as.derived}/{judged_as.verdicts}" if judged_as.verdicts else "no verdict",
        wrong=_wrong(model, judged_as) > 0,
    )


def _wrong(model: JudgedModel, judged_as: Judged) -> int:
    """How many verdicts were wrong; a copy that is worthless or has other classes need not be found."""
    if model.role == "independent":
        return judged_as.derived
    return judged_as.verdicts - judged_as.derived if model.counts_as == "all" else 0


def _errors(view: View, setting: Setting, judged: Mapping[str, Judged]) -> Errors:
    wrong: dict[str, list[str]] = {"derived": [], "independent": []}
    total = {"derived": 0, "independent": 0}
    for model in view.results.suspects:
        judged_as = judged.get(model.id)
        if judged_as is None or not judged_as.verdicts or model.counts_as not in ("all", "independent"):
            continue
        total[model.role] += 1
        count = _wrong(model, judged_as)
        if count:
            part = "" if count == judged_as.verdicts else f" ({count} of {judged_as.verdicts})"
            wrong[model.role].append(plain_name(model.id) + part)
    return Errors(
        name=plain_name(setting.name),
        control=setting.control is not None,
        missed=wrong["derived"],
        called_derived=wrong["independent"],
        missed_of=total["derived"],
        called_of=total["independent"],
    )


def _reading(view: View, errors: Sequence[Errors]) -> str:
    sentences = [
        f"{one.name} misses {len(one.missed):,} of {counted(one.missed_of, 'copy', 'copies')} under at least one "
        f"fingerprint, and accuses {len(one.called_derived):,} of "
        f"{counted(one.called_of, 'independent model')} at least once"
        for setting, one in zip(view.leading, errors, strict=True)
        if not setting.control and (one.missed_of or one.called_of)
    ]
    return ("; ".join(sentences) or "No scheme gave verdicts") + "."
