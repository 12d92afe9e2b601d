"""Results on disk: JSON, one row, suspect or run per line, so that versions can be compared.

What is the same with labels and with scores, as it is of every scheme that reads labels only, stands there once, with
the access "either". Scores stand in the order of a list of suspects, which the runs that met the same ones share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from modelprint.core.errors import ModelprintError, first_line
from modelprint.core.files import write_text
from modelprint.core.untrusted import read_regular
from modelprint.results.kinds import with_kinds
from modelprint.results.records import Results

ACCESSES = ("labels", "scores", "weights")
_SETTING = ("scheme", "budget", "evasion", "seed")
_MET = "met"
_RUNS = ("runs", "swept_runs")
_TOGETHER = {"rows": _SETTING, "runs": (*_SETTING, "source"), "swept_runs": (*_SETTING, "source")}


def write_results(results: Results, path: Path) -> None:
    """Write the results, whole or not at all."""
    parts = []
    content = results.model_dump(mode="json", by_alias=True, exclude={"rows": {"__all__": {"fpr_by_kind"}}})
    content[_MET] = _listed([run for key in _RUNS for run in content[key]])
    for key, value in content.items():
        if isinstance(value, list) and value:
            value = list(_merged(value, *_TOGETHER[key])) if key in _TOGETHER else value  # noqa: PLW2901
            lines = ",\n".join(json.dumps(item, separators=(",", ":"), ensure_ascii=False) for item in value)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    write_text(path, "{" + ",\n".join(parts) + "}\n")


def read_results(path: Path) -> Results:
    """The results in a file.

    Raises:
        ModelprintError: the file holds something else.
    """
    try:
        content = json.loads(read_regular(path))
        met = content.pop(_MET, [])
        for run in (run for key in _RUNS for run in content.get(key, [])):
            if isinstance(run["scores"], list):
                run["scores"] = dict(zip(met[run.pop("met")], run["scores"], strict=True))
        for key, fields in _TOGETHER.items():
            content[key] = list(_apart(content.get(key, []), *fields))
        results = Results.model_validate(content)
    except (ValidationError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelprintError(f"{path} does not hold results that this version reads: {_reason(error)}") from error
    return results.model_copy(update={"rows": with_kinds(results.rows, results.runs, results.suspects)})


def _reason(error: Exception) -> str:
    """What is wrong, in one line: of many fields, the first."""
    if not isinstance(error, ValidationError):
        return first_line(error)
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def _listed(runs: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The lists of suspects that runs met; each run gets the number of its list, and its scores in that order."""
    known: dict[tuple[str, ...], int] = {}
    for run in runs:
        run["met"] = known.setdefault(tuple(run["scores"]), len(known))
        run["scores"] = list(run["scores"].values())
    return [list(names) for names in known]


def _merged(items: Sequence[dict[str, Any]], *fields: str) -> Iterator[dict[str, Any]]:
    """The items; of those that share these fields, once if they differ in nothing but the access."""
    for _, alike in groupby(items, key=lambda item: [item[field] for field in fields]):
        group = list(alike)
        from_labels, from_scores, from_weights = (
            [{**item, "access": "either"} for item in group if item["access"] == access] for access in ACCESSES
        )
        same = from_labels == from_scores and not from_weights
        yield from from_labels if same else group


def _apart(items: Sequence[dict[str, Any]], *fields: str) -> Iterator[dict[str, Any]]:
    """The items, those with the access "either" twice: of all that share these fields, labels first, then scores."""
    for _, alike in groupby(items, key=lambda item: [item.get(field) for field in fields]):
        group = list(alike)
        for access in ACCESSES:
            either = ("either",) if access != "weights" else ()
            yield from ({**item, "access": access} for item in group if item["access"] in (access, *either))
