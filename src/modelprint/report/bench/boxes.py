"""Scores of copies by family, and of independent models by kind, as boxes with their outliers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from modelprint.report.drawing.domains import close_domain
from modelprint.report.drawing.figure import Figure, Key, rule_key
from modelprint.report.drawing.svg import ROLE_COLOURS, ROLE_SHAPES, by_role, dashed, rows, to_svg
from modelprint.report.drawing.text import counted, number, plain_name
from modelprint.results.records import JudgedModel
from modelprint.results.view import Setting, View, is_rate, rate

_FEW = 20  # models of a group, up to which each is a point
_ROLES = ("derived", "independent")
_KINDS = ("SAST", "SADT", "DAST", "DADT", "SHARED")
_OTHERS = "others\u2019 copies"  # copies of the other sources
_PLACES = 150  # points closer than this part of the axis are drawn once
Groups = Mapping[tuple[str, str], Float[np.ndarray, " n"]]


def group_of(model: JudgedModel) -> tuple[str, str]:
    """The role and the group under which a suspect's scores are shown.

    >>> fields = {"role": "independent", "accuracy": 0.9, "agreement": None, "counts_as": "independent"}
    >>> group_of(JudgedModel(id="a", model="a", kind="SAST", **fields))
    ('independent', 'SAST')
    """
    if model.role == "independent":
        return "independent", _OTHERS if model.third_party else model.kind or "unknown kind"
    return "derived", model.counts_as if model.counts_as in ("worthless", "transfer") else model.family or "unknown"


def grouped_scores(view: View, setting: Setting) -> Groups:
    """Scores by role and group: of each model and source the mean over seeds; copies first."""
    seeds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in view.runs(setting):
        for name in run.scores:
            score = rate(run, name)
            if score is not None:
                seeds[run.source, name].append(score)
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (_, name), scores in seeds.items():
        if name in view.models:
            groups[group_of(view.models[name])].append(fmean(scores))
    return {key: np.array(groups[key]) for key in sorted(groups, key=_order)}


def box_figures(view: View) -> tuple[str, list[Figure]] | None:
    """What the boxes show, in a sentence about the best scheme; one chart per scheme. None without scores."""
    figures, readings = [], {}
    for setting in view.leading:
        groups = grouped_scores(view, setting)
        if not groups:
            continue
        readings[setting] = _reading(setting, groups)
        runs = view.runs(setting)
        limits = [run.threshold for run in runs if run.threshold is not None]
        figures.append(
            Figure(
                title=setting.name,
                svg=_chart(setting, groups, fmean(limits) if limits else None, rate_like=is_rate(runs)),
                caption=_caption(groups),
                keys=_keys(bool(limits)),
            )
        )
    return (view.reading(readings), figures) if figures else None


def _caption(groups: Groups) -> str:
    copies, independents = (sum(len(scores) for (who, _), scores in groups.items() if who == role) for role in _ROLES)
    return (
        f"{counted(copies, 'copy', 'copies')}, {counted(independents, 'independent model')}, counted once for each "
        "source that they stood against; the mean over seeds."
    )


def _keys(limits: bool) -> list[Key]:
    keys = [Key(text="copies", role="derived"), Key(text="independent", role="independent")]
    return [*keys, rule_key("threshold (mean)")] if limits else keys


def _chart(setting: Setting, groups: Groups, limit: float | None, *, rate_like: bool) -> Markup:
    import altair as alt

    domain = close_domain(np.concatenate([*groups.values(), [] if limit is None else [limit]]))
    names = {key: f"{plain_name(key[1], longest=24)} ({len(scores)})" for key, scores in groups.items()}
    boxes = [_box(names[key], key[0], scores) for key, scores in groups.items()]
    points = [p for key, scores in groups.items() for p in _points(names[key], key[0], scores, domain)]
    x_axis: dict[str, Any] = {
        "scale": alt.Scale(domain=domain, nice=False),
        "title": "detection rate" if rate_like else "score",
    }
    axis = alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", labelPadding=6, labelLimit=150)
    y = alt.Y("group:N", title=None, sort=list(names.values()), axis=axis)
    colour = alt.Color("role:N", legend=None, scale=by_role(ROLE_COLOURS, _ROLES))
    shape = alt.Shape("role:N", legend=None, scale=by_role(ROLE_SHAPES, _ROLES))
    whole = alt.Chart(rows(boxes))
    mark = alt.Chart(rows(points)).mark_point(filled=True, size=16, opacity=0.85)
    layers: list[Any] = [
        whole.mark_rule(strokeWidth=1.2).encode(alt.X("least:Q", **x_axis), alt.X2("most:Q"), y, colour),
        whole.mark_bar(height={"band": 0.62}, opacity=0.35).encode(
            alt.X("low:Q", **x_axis), alt.X2("high:Q"), y, colour
        ),
        whole.mark_tick(color="var(--ink)", thickness=2, size=11).encode(alt.X("middle:Q", **x_axis), y),
        mark.encode(alt.X("x:Q", **x_axis), y, colour, shape),
    ]
    layers += [] if limit is None else [dashed("x", limit, alt.X("x:Q", **x_axis))]
    spoken = "; ".join(
        f"{names[key]} median {np.median(s):.3f}, {s.min():.3f} to {s.max():.3f}" for key, s in groups.items()
    )
    return to_svg(
        layers, label=f"Scores under {setting.name}, with numbers of models: {spoken}", height=60 + 19 * len(groups)
    )


def _box(name: str, role: str, scores: np.ndarray) -> dict[str, Any]:
    least, low, middle, high, most = np.quantile(scores, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    return {"group": name, "role": role, "least": least, "low": low, "middle": middle, "high": high, "most": most}


def _points(name: str, role: str, scores: np.ndarray, domain: tuple[float, float]) -> list[dict[str, Any]]:
    """Each model of a small group; of a large one those beyond the whiskers; at one place only one."""
    least, most = np.quantile(scores, [0.05, 0.95])
    some = scores if len(scores) <= _FEW else scores[(scores < least) | (scores > most)]
    step = (domain[1] - domain[0]) / _PLACES
    return [{"group": name, "role": role, "x": float(place) * step} for place in np.unique(np.rint(some / step))]


def _order(key: tuple[str, str]) -> tuple[bool, int, str]:
    role, group = key
    last = {"worthless": 1, "transfer": 2, _OTHERS: 9}
    place = _KINDS.index(group) if group in _KINDS else last.get(group, 0)
    return role == "independent", place, group


def _reading(setting: Setting, groups: Groups) -> str:
    copies = {group: float(np.median(scores)) for (role, group), scores in groups.items() if role == "derived"}
    independent = [scores for (role, _), scores in groups.items() if role == "independent"]
    if not copies or not independent:
        return f"Under {setting.name} only one side has scores."
    top = float(np.quantile(np.concatenate(independent), 0.95))
    below = [group for group, median in copies.items() if median <= top]
    exceptions = f"below in {', '.join(sorted(below))}" if below else "below in none"
    return (
        f"Under {setting.name}, the median copy scores above 95\u202f% of the independent models "
        f"({number(top, digits=2)}) in {len(copies) - len(below)} of {len(copies)} groups of attacks; {exceptions}."
    )
