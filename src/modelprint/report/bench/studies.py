"""The studies beside a benchmark, drawn: the claim against the number of fingerprints, spectra, principal angles."""

from __future__ import annotations

from collections.abc import Sequence

from modelprint.report.bench.early import early_section
from modelprint.report.bench.study_section import StudySection, command_of
from modelprint.report.drawing.figure import Figure, rule_key
from modelprint.report.drawing.line_chart import Axis, Line, LineChart, Point, draw, line_keys
from modelprint.report.drawing.looks import Look
from modelprint.report.drawing.text import counted, percent, plain_name
from modelprint.results.studies import AgainstChance, ClaimPoint, ClaimStudy, Studies, SubspaceStudy

LEVELS = (0.95, 0.9999)
_DERIVED = Look(colour="var(--derived)", swatch="derived")
_INDEPENDENT = Look(colour="var(--independent)", dash=[7, 4], shape="square", swatch="independent")
_OTHERS = Look(colour="var(--s6)", dash=[2, 3], shape="triangle-up", swatch="s6 dotted")
_RANDOM = Look(colour="var(--calibration)", dash=[2, 3], shape="diamond", swatch="calibration dotted")
_LOOKS = {
    "derived": ("copies", _DERIVED),
    "copies of other sources": ("copies of other sources", _OTHERS),
    "independent": ("independent models", _INDEPENDENT),
}


def study_sections(studies: Studies) -> list[StudySection]:
    """One section per study that there is."""
    sections = []
    if studies.claim is not None:
        sections.append(_claim(studies.claim))
    if studies.subspace is not None:
        sections.append(_subspace(studies.subspace))
    if studies.early is not None:
        sections.append(early_section(studies.early))
    return sections


def _claim(study: ClaimStudy) -> StudySection:
    curve = study.confidence_by_fingerprints
    at = next((point for point in curve if point.fingerprints == 20), curve[-1])
    groups = study.first.scores
    n = {name: groups[name].n for name in _LOOKS if name in groups}
    who = ", ".join(f"{n[name]} {text}" for name, (text, _) in _LOOKS.items() if name in n)
    shares = ["derived_9999", "independent_9999", "others_9999"], ["derived_95", "independent_95", "others_95"]
    figures = [
        Figure(
            title="Claimed confidence, median",
            svg=draw(_counts(curve, ["derived_median", "independent_median", "others_median"], title="confidence")),
            caption=f"Of the first source{_sized(study)}: {who}{_thinned(study)}.",
            keys=line_keys(_lines(curve, ["derived_median", "independent_median", "others_median"])),
        )
    ]
    for level, names in zip(reversed(LEVELS), shares, strict=True):
        lines = _lines(curve, names)
        figures.append(
            Figure(
                title=f"Claimed with more than {_level(level)}",
                svg=draw(_counts(curve, names, title="share of models", rule=1 - level)),
                caption="Of how many models the test says, with more than that confidence, that they are copies.",
                keys=[*line_keys(lines), rule_key(f"nominal: {percent(1 - level)} of innocents")],
            )
        )
    excess = at.independent_9999 > 1 - LEVELS[1]
    reading = (
        f"With {counted(at.fingerprints, 'fingerprint')} the paper\u2019s test claims {percent(at.derived_9999)} of "
        f"the copies with more than {_level(LEVELS[1])} confidence, {percent(at.independent_9999)} of the independent "
        f"models ({percent(1 - LEVELS[1])} is nominal) and {percent(at.others_9999)} of the copies of other sources. "
        f"Fingerprints of one model are no independent draws{': the test overstates' if excess else ''}; the verdict "
        "does not use it."
    )
    return StudySection(
        title="UAP: what the claim of a confidence is worth",
        reading=reading,
        figures=figures,
        command=command_of(study.provenance.get("command")),
    )


def _sized(study: ClaimStudy) -> str:
    return "" if study.points_per_fingerprint is None else f", fingerprints of {study.points_per_fingerprint} points"


def _thinned(study: ClaimStudy) -> str:
    step = study.models.get("thinning", 1)
    return f" (one in {step} was judged)" if step > 1 else ""


def _lines(curve: Sequence[ClaimPoint], names: Sequence[str]) -> list[Line]:
    looks = (_LOOKS["derived"], _LOOKS["independent"], _LOOKS["copies of other sources"])
    return [
        Line(name=text, look=look, points=[Point(x=point.fingerprints, y=getattr(point, name)) for point in curve])
        for name, (text, look) in zip(names, looks, strict=True)
    ]


def _counts(curve: Sequence[ClaimPoint], names: Sequence[str], *, title: str, rule: float | None = None) -> LineChart:
    counts = [point.fingerprints for point in curve]
    return LineChart(
        x=Axis(title="fingerprints", domain=(counts[0] * 0.85, counts[-1] * 1.18), scale="log", ticks=counts),
        y=Axis(title=title, domain=(-0.02, 1.02), ticks=(0, 0.25, 0.5, 0.75, 1), format=".0%"),
        lines=_lines(curve, names),
        rules=() if rule is None else (rule,),
        height=230,
        width=300,
        about=f"{title} against the number of fingerprints.",
    )


def _subspace(study: SubspaceStudy) -> StudySection:
    normals, universal = study.boundary_normals, study.universal
    figures = [
        _spectrum(normals, title="Boundary normals", what=f"normals at {counted(normals.vectors, 'image')}"),
        _spectrum(universal, title="Universal perturbations", what=counted(universal.vectors, "perturbation")),
        _angles(study),
    ]
    near = ", ".join(
        f"{area.auc:.2f} ({area.low:.2f}\u2013{area.high:.2f}) against {_LOOKS.get(name, (plain_name(name), None))[0]}"
        for name, area in study.auc_of_minus_mean_angle.items()
    )
    reading = (
        f"Half of the energy of the boundary normals lies in {normals.model.directions_50} of {normals.dimensions} "
        f"directions; of random vectors in {normals.random.directions_50}. How often a copy lies nearer to its "
        f"source, by the mean angle (AUC): {near}."
    )
    return StudySection(
        title="UAP: in what directions perturbations lie (white box)",
        reading=reading,
        figures=figures,
        command=command_of(study.provenance.get("command")),
    )


def _spectrum(both: AgainstChance, *, title: str, what: str) -> Figure:
    def points(values: Sequence[float]) -> list[Point]:
        return [Point(x=place, y=value) for place, value in enumerate(values, 1)]

    lines = [
        Line(name="the source", look=_DERIVED, points=points(both.model.singular_values)),
        Line(name="random directions", look=_RANDOM, points=points(both.random.singular_values)),
    ]
    shown = len(both.model.singular_values)
    most = max(*both.model.singular_values, *both.random.singular_values)
    chart = LineChart(
        x=Axis(title="direction", domain=(0.5, shown + 0.5)),
        y=Axis(title="singular value", domain=(0, 1.05 * most)),
        lines=lines,
        marks=False,
        height=230,
        width=300,
        about=f"Singular values of {title.lower()}.",
    )
    rest = "" if shown >= both.vectors else f"; the first {shown} are shown"
    return Figure(
        title=title,
        svg=draw(chart),
        caption=f"Singular values of {what}, each of length 1, in {both.dimensions} dimensions{rest}. Nine tenths of "
        f"the energy lie in {both.model.directions_90} directions, of random ones in {both.random.directions_90}.",
        keys=line_keys(lines),
    )


def _angles(study: SubspaceStudy) -> Figure:
    def points(values: Sequence[float]) -> list[Point]:
        return [Point(x=place, y=value) for place, value in enumerate(values, 1)]

    lines = [
        Line(name=f"{text} ({study.angles[name].n})", look=look, points=points(study.angles[name].median_curve))
        for name, (text, look) in _LOOKS.items()
        if name in study.angles
    ]
    lines.append(Line(name="a random subspace", look=_RANDOM, points=points(study.angles_to_random)))
    chart = LineChart(
        x=Axis(title="principal angle", domain=(0.5, study.size + 0.5)),
        y=Axis(title="degrees", domain=(0, 92), ticks=(0, 30, 60, 90)),
        lines=lines,
        marks=False,
        height=230,
        width=300,
        about="Principal angles to the source's subspace.",
    )
    return Figure(
        title="Angles to the source",
        svg=draw(chart),
        caption=f"Principal angles between the {study.size} leading directions of a model\u2019s boundary normals and "
        "the source\u2019s; medians over models (in brackets: how many).",
        keys=line_keys(lines),
    )


def _level(level: float) -> str:
    """0.9999 as a level: "99.99 %", which one digit behind the point would round to 100 %."""
    return f"{100 * level:g}\u202f%"
