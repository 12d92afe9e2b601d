"""Tables of the UAP studies for docs/uap.md: speed, the claim, controls, architectures, subspaces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.common import RESULTS
from modelprint.results.studies import Area, ClaimStudy, Group, Groups, Share, SourceClaims, SubspaceStudy
from modelprint.results.study_files import find_studies

MISSING = "Not measured yet."
WAYS = {
    "ascent": "gradient ascent, default (20 epochs)",
    "short_ascent": "gradient ascent, 5 epochs with steps of .2 epsilon",
    "deepfool": "DeepFool-UAP as published",
    "one_pass": "DeepFool-UAP, its first pass",
    "toolbox": "toolbox (ART)",
}
GROUPS = ("derived", "independent", "copies of other sources")  # keys of the result files
READINGS = {
    "scores": "with scores",
    "labels_only": "labels only",
    "no_encoder": "scores, no encoder (raw cosine)",
    "no_encoder_labels_only": "labels only, no encoder",
    "shuffled_encoder": "scores, encoder shuffled at random",
    "third_party_shadows": "scores, third-party copies among the shadow models",
}


def studies() -> dict[str, str]:
    """The tables of docs/uap.md that are no benchmark's, under their markers."""
    studies_read = find_studies(RESULTS, "fashion")
    claim, subspace = studies_read.claim, studies_read.subspace
    return {
        "uap speed": _speed(),
        "uap claim": MISSING if claim is None else _claim(claim),
        "uap curve": MISSING if claim is None else _curve(claim),
        "uap readings": MISSING if claim is None else _readings(claim),
        "uap controls": MISSING if claim is None else _controls(claim),
        "uap architectures": MISSING if claim is None else _architectures(claim),
        "uap spectrum": MISSING if subspace is None else _spectrum(subspace),
        "uap angles": MISSING if subspace is None else _angles(subspace),
    }


def _speed() -> str:
    path = RESULTS / "uap_speed.json"
    if not path.exists():
        return MISSING
    result = json.loads(path.read_text())
    rows = []
    for name, what in WAYS.items():
        if name not in result["seconds"]:
            continue
        passes = result["passes"].get(name)
        limit = {"deepfool": f", at most {passes} passes", "toolbox": f", {passes} pass"}.get(name, "")
        seconds = result["seconds"][name]["median"]
        over = [
            _ratio(result[key][name]) if name in result[key] else "" for key in ("over_ascent", "over_short_ascent")
        ]
        rows.append((what + limit, f"{seconds:.2f}", f"{result['fooling_rate'][name]:.1%}", *over))
    note = (
        f"First source; {result['images']} images, epsilon {result['epsilon']:.3f}; fooling rate on "
        f"{result['held_out']:,} held-out images, in 8 bits; {result['clock']}, one thread, medians of "
        f"{len(result['seconds']['ascent']['all'])} rounds in turn. {_origin(result['provenance'])}"
    )
    head = ("way", "seconds", "fools", "over default ascent (range)", "over short ascent (range)")
    return _table(head, rows) + f"\n\n{note}"


def _ratio(ratio: Mapping[str, Any]) -> str:
    return f"{ratio['median']:.0f} times ({ratio['min']:.0f}-{ratio['max']:.0f})"


def _claim(study: ClaimStudy) -> str:
    rows: list[tuple[str, ...]] = [("nominal", "", "", ".05", ".0001", ".05", ".0001", ".05")]
    for source, claims in study.sources.items():
        for access, groups in (("scores", claims.scores), ("labels", claims.labels_only)):
            copies, independent, others = (groups[name] for name in GROUPS)
            rows.append(
                (
                    source,
                    access,
                    _share(copies.claimed_9999, copies),
                    _share(independent.claimed_95, independent),
                    _share(independent.claimed_9999, independent),
                    _share(others.claimed_95, others),
                    _share(others.claimed_9999, others),
                    _share(independent.verdict_derived, independent),
                )
            )
    head = (
        "source",
        "access",
        "copies claimed > 99.99 %",
        "independent > 95 %",
        "independent > 99.99 %",
        "third-party copies > 95 %",
        "third-party copies > 99.99 %",
        "independent, the verdict at .05",
    )
    views, points = (study.first.crafting[name] for name in ("views", "points"))
    return _table(head, rows) + f"\n\n{views} fingerprints (views) of {points} points. {_of(study)}"


def _curve(study: ClaimStudy) -> str:
    rows = [
        (
            str(at.fingerprints),
            *(f"{value:.4f}" for value in (at.derived_median, at.independent_median, at.others_median)),
            *(f"{value:.2f}" for value in (at.derived_9999, at.independent_95, at.independent_9999)),
            *(f"{value:.2f}" for value in (at.others_95, at.others_9999)),
        )
        for at in study.confidence_by_fingerprints
    ]
    head = (
        "fingerprints",
        "copies, median",
        "independent, median",
        "third-party copies, median",
        "copies > 99.99 %",
        "independent > 95 %",
        "independent > 99.99 %",
        "third-party copies > 95 %",
        "third-party copies > 99.99 %",
    )
    n = {name: study.first.scores[name].n for name in GROUPS}
    note = (
        f"First source, scores, 20 points a fingerprint, one crafting and one encoder; {n['derived']} copies, "
        f"{n['independent']} independent models, {n['copies of other sources']} third-party copies."
    )
    return _table(head, rows) + f"\n\n{note} {_of(study)}"


def _readings(study: ClaimStudy) -> str:
    rows = []
    for name, what in READINGS.items():
        claims = [getattr(source, name) for source in study.sources.values()]
        rows.append(
            (
                what,
                *(_area(groups["derived"].auc) for groups in claims),
                _mean(groups["derived: extraction"].auc for groups in claims),
                _mean(groups["derived"].auc_against_copies_of_others for groups in claims),
            )
        )
    names = [f"AUC, {source} ({claims.scores['derived'].n} copies)" for source, claims in study.sources.items()]
    return _table(("read", *names, "AUC on extraction, mean", "AUC against third-party copies, mean"), rows)


def _controls(study: ClaimStudy) -> str:
    def row(groups: Groups) -> tuple[str, ...]:
        copies, independent = groups["derived"], groups["independent"]
        return (
            _area(copies.auc),
            _area(groups["derived: extraction"].auc),
            _area(copies.auc_against_copies_of_others),
            _share(independent.verdict_derived, independent),
            _share(groups["copies of other sources"].verdict_derived, groups["copies of other sources"]),
        )

    rows = [
        (
            name,
            f"{control.crafting['fooling_rate']:.0%}",
            *row(control.scores),
            _area(control.no_encoder["derived"].auc),
        )
        for name, control in study.controls.items()
    ]
    head = (
        "v",
        "fools",
        "AUC",
        "AUC on extraction",
        "AUC against third-party copies",
        "independent models called derived",
        "third-party copies called derived",
        "AUC without encoder",
    )
    control = next(iter(study.controls.values()))
    copies = control.scores["derived"].n
    note = (
        f"First source, scores, {control.crafting['views']} views of {control.crafting['points']} points, an encoder "
        f"of its own for each; {copies} copies, {control.scores['derived: extraction'].n} of them extracted; called "
        f"derived: by the verdict at alpha = .05. {_of(study)}"
    )
    return _table(head, rows) + f"\n\n{note}"


def _architectures(study: ClaimStudy) -> str:
    rows = []
    for source, claims in study.sources.items():
        for what, groups in (("all shadow models", claims.scores), ("its own only", claims.one_architecture)):
            other = groups["derived: other architecture"]
            independent = [groups[f"independent: {kind}"] for kind in ("DAST", "DADT")]
            derived = sum(round(group.verdict_derived.share * group.n) for group in independent)
            rows.append(
                (
                    source,
                    f"{what} ({_shadows(claims, own=groups is claims.one_architecture)})",
                    _area(groups["derived"].auc),
                    _area(groups["derived: extraction"].auc),
                    f"{other.mean_score:.2f}, AUC {_area(other.auc)} ({other.n})",
                    f"{fmean(group.mean_score for group in independent):.2f}",
                    f"{derived} of {sum(group.n for group in independent)}",
                )
            )
    head = (
        "source",
        "encoder's shadow models, by architecture",
        "AUC",
        "AUC on extraction",
        "copies of another architecture: score (n)",
        "independent models of another architecture: score",
        "called derived",
    )
    return _table(head, rows) + f"\n\nScores. {_of(study)}"


def _shadows(claims: SourceClaims, *, own: bool) -> str:
    surrogates, references = (
        claims.shadows["same architecture"] if own else (claims.shadows["copies"], claims.shadows["strangers"])
    )
    return f"{surrogates} surrogate, {references} reference models"


def _spectrum(study: SubspaceStudy) -> str:
    rows = []
    for what, against_chance in (
        ("boundary normals", study.boundary_normals),
        ("universal perturbations", study.universal),
    ):
        for whose, spectrum in (("source", against_chance.model), ("random", against_chance.random)):
            rows.append(
                (
                    f"{against_chance.vectors} {what}, {whose}",
                    *(f"{spectrum.singular_values[place - 1]:.3f}" for place in (1, 2, 5, 10, 20, 30)),
                    str(spectrum.directions_50),
                    str(spectrum.directions_90),
                )
            )
    places = [f"sigma {place}" for place in (1, 2, 5, 10, 20, 30)]
    head = ("vectors", *places, "directions with 50 %", "with 90 %")
    return _table(head, rows) + (
        f"\n\nFirst source, {study.boundary_normals.dimensions} dimensions, vectors of length 1, squares of all "
        f"singular values adding up to 1; {study.images} held-out images. {_origin(study.provenance)}"
    )


def _angles(study: SubspaceStudy) -> str:
    rows = [
        (
            _third_party(name),
            str(angles.n),
            f"{angles.smallest:.0f}",
            f"{angles.mean:.0f}",
            ", ".join(f"{family} {angle:.0f}" for family, angle in angles.mean_by_family.items()),
        )
        for name, angles in study.angles.items()
    ]
    chance = study.angles_to_random
    rows.append(("a random subspace", "1", f"{chance[0]:.0f}", f"{fmean(chance):.0f}", ""))
    areas = ", ".join(
        f"{_area(area)} against {_third_party(name)}" for name, area in study.auc_of_minus_mean_angle.items()
    )
    head = ("models", "n", "smallest angle", "mean angle", "mean angle by family or kind")
    what = f"\n\nDegrees, between the {study.size} leading directions; means over models. AUC of the mean angle, copies"
    return _table(head, rows) + f"{what} nearer: {areas}. {_origin(study.provenance)}"


def _third_party(name: str) -> str:
    """What tables call a group of models of a result file."""
    return name.replace("copies of other sources", "third-party copies")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |").replace("|  |", "| |") for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def _share(share: Share, group: Group) -> str:
    return f"{share.share:.2f} ({share.low:.2f}-{share.high:.2f}; {group.n})"


def _area(area: Area | None) -> str:
    return "not measured" if area is None else f"{area.auc:.2f} ({area.low:.2f}-{area.high:.2f})"


def _mean(areas: Iterable[Area | None]) -> str:
    values = [area.auc for area in areas if area is not None]
    return f"{fmean(values):.2f}" if values else "not measured"


def _of(study: ClaimStudy) -> str:
    step = study.models["thinning"]
    some = f" Of the independent models one in {step} was judged." if step > 1 else ""
    return f"In brackets intervals of 95 % and, last, how many models.{some} {_origin(study.provenance)}"


def _origin(how: Mapping[str, Any]) -> str:
    return f"(`{_as_now(how['command'])}`, {how['date']}, revision {how['revision']}, torch {how['torch']}.)"


def _as_now(command: str) -> str:
    """How a result is made again: older results name the script alone, which lay in benchmarks/ then.

    >>> _as_now("python uap_claim.py --thinning 2")
    'python -m research.studies.uap_claim --thinning 2'
    """
    script, *words = command.removeprefix("python ").split(" ")
    if not script.endswith(".py"):
        return command
    name = script.removesuffix(".py")
    room = "research.studies" if (RESULTS.parent.parent / "research" / "studies" / script).is_file() else "benchmarks"
    return " ".join(["python", "-m", f"{room}.{name}", *words])
