"""Tables of docs/theory.md: the simulations, e-values beside the rank, and what noise certifies."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import RESULTS
from research.tables.field_tables import table

MISSING = "Not measured yet."


def simulations() -> str:
    """A line for each experiment of `research.studies.theory`."""
    result = _read("theory.json")
    if result is None:
        return MISSING
    lines = [
        [
            f"`{name}`",
            one["what"],
            f"{one['rate']:.4f} ({one['interval'][0]:.4f}-{one['interval'][1]:.4f})",
            f"{one['n']:,}",
            f"{one['bound']:.4f}" if one["bound"] < 1 else "none",
        ]
        for name, one in result["experiments"].items()
    ]
    refuted = ", ".join(result["refuted"]) or "none"
    head = ["experiment", "what is counted", "rate", "n", "bound"]
    return f"{table(head, lines)}\n\nRefuted: {refuted}. {_origin(result)}"


def e_values() -> str:
    """Copies and independent models that the rank and the e-value call derived."""
    result = _read("e_values_fashion.json")
    if result is None:
        return MISSING
    rate = str(result["chosen_rate"])
    rows = {
        "rank, by kind": result["rank"],
        "e-value, by kind": result["e_values"]["by kind"][rate],
        "e-value, rate 1, by kind": result["e_values"]["by kind"]["1.0"],
        "e-value, from scratch alone": result["e_values"]["from scratch alone"][rate],
    }
    alphas = list(result["rank"]["copies"])
    lines = [
        [
            name,
            *(
                f"{shares[group][alpha]['count']} of {shares[group][alpha]['n']}"
                for alpha in alphas
                for group in shares
            ),
        ]
        for name, shares in rows.items()
    ]
    head = ["rule", *(f"{group}, alpha {alpha}" for alpha in alphas for group in ("copies", "independent"))]
    sizes = ", ".join(f"{count} {kind}" for kind, count in result["calibration"].items())
    means = result["mean_of_independent"]
    return (
        f"{table(head, lines)}\n\nThree sources together; calibration models of each: {sizes}. The mean e-value of "
        f"independent models is {means['by kind']:.2f} by kind, and {means['from scratch alone']:.2f} beside models "
        f"from scratch alone. {_origin(result)}"
    )


def certificates() -> str:
    """The certified radius by scheme and sigma, and how many copies lie above the threshold."""
    result = _read("certificate_fashion.json")
    if result is None:
        return MISSING
    lines = []
    for scheme, measured in result["schemes"].items():
        for row in measured["rows"]:
            above, copies = (sum(pair[place] for pair in row["copies_above"].values()) for place in (0, 1))
            lines.append(
                [
                    scheme,
                    f"{row['sigma']:g}",
                    f"{row['threshold']:.3f}",
                    f"{row['above']} of {row['draws']}",
                    f"{row['radius']:.3f}",
                    f"{above} of {copies}",
                ]
            )
    head = ["scheme", "sigma", "threshold", "noisy sources above it", "certified radius", "copies above it (measured)"]
    return f"{table(head, lines)}\n\n{_origin(result)}"


def moved() -> str:
    """How far the source's copies lie from it."""
    result = _read("certificate_fashion.json")
    if result is None:
        return MISSING
    lines = [
        [name, str(one["n"]), f"{one['least']:.2f}", f"{one['median']:.1f}", str(one["within_1"])]
        for name, one in result["moved"]["distances"].items()
    ]
    text = (
        "Distances of normal forms by name, in the same units, of copies that keep 85 % of the accuracy (test part and "
        f"sweep) and of independent models of one shape; {result['moved']['of_another_shape']} more models have "
        "another shape. A permuted copy is far by name; its smoothed score has the law of the source's."
    )
    return f"{table(['models', 'n', 'least', 'median', 'nearer than 1'], lines)}\n\n{text}"


def _share(shares: dict[str, Any]) -> str:
    return f"{shares['count']} of {shares['n']}"


def _read(name: str) -> dict[str, Any] | None:
    path = RESULTS / name
    if not path.exists():
        return None
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def _origin(result: dict[str, Any]) -> str:
    how = result["provenance"]
    return f"({how['date']}, revision {how['revision']}, torch {how['torch']}.)"
