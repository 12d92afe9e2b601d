"""Studies that nobody made."""

from __future__ import annotations

from typing import Any

from modelprint.results.studies import Studies

SIDES = ("derived", "independent", "others")


def claim(*, above: float = 0.25) -> dict[str, Any]:
    share = {"share": 0.5, "low": 0.2, "high": 0.8}
    group = {
        "n": 10,
        "mean_score": 0.4,
        **dict.fromkeys(("verdict_derived", "claimed_above_0.95", "claimed_above_0.9999"), share),
    }
    groups = {"derived": {**group, "n": 7}, "copies of other sources": group, "independent": {**group, "n": 20}}
    readings = ("labels only", "no encoder", "no encoder, labels only", "shuffled encoder")
    shadows = ("shadows of the source's architecture", "stolen strangers among the shadows")
    point = {f"{side}_above_{level}": above for side in SIDES for level in (0.95, 0.9999)}
    return {
        "models": {"all": 40, "thinning": 3},
        "nominal": "",
        "sources": {
            "source-1": {"crafting": {}, "shadows": {}, **dict.fromkeys(("scores", *readings, *shadows), groups)}
        },
        "controls": {"zero": {"crafting": {}, "scores": groups, "no encoder": groups}},
        "confidence_by_fingerprints": [
            {"fingerprints": count, **point, **{f"{side}_median": 0.75 for side in SIDES}} for count in (1, 20, 100)
        ],
        "provenance": {"command": "python uap_claim.py"},
    }


def subspace() -> dict[str, Any]:
    def spectrum(first: int) -> dict[str, Any]:
        return {"singular_values": [0.8, 0.6], "directions_50": first, "directions_90": 2}

    chance = {"vectors": 2, "dimensions": 784, "model": spectrum(1), "random": spectrum(2)}
    area = {"auc": 0.72, "low": 0.55, "high": 0.87}
    return {
        "source": "source-1",
        "images": 2,
        "size": 2,
        "boundary_normals": chance,
        "universal": chance,
        "angles_to_random": [70.0, 80.0],
        "angles": {
            name: {"n": 4, "mean": 20.0, "smallest": 10.0, "mean_by_family": {}, "median_curve": [15.25, 25.0]}
            for name in ("derived", "independent")
        },
        "auc_of_minus_mean_angle": {"independent": area},
        "provenance": {},
    }


def studies(**changed: dict[str, Any]) -> Studies:
    return Studies.model_validate({"claim": claim(), "subspace": subspace(), **changed})
