"""Put the committed results into the pages of docs/.

    python -m research.tables [PAGE...]        # such as reach.md; all unless some are named

Each `<!-- name -->` line is followed by the table made from benchmarks/results, up to the next blank line and heading;
running it again replaces what stands there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from textwrap import TextWrapper
from typing import Any

from benchmarks.common import RESULTS
from modelprint.core.files import write_text
from research.studies.detection_rates import table
from research.tables.answer_tables import aims as answer_aims
from research.tables.answer_tables import by_scheme, harder
from research.tables.evasion_pages import areas, evasion_rates, expected, verdicts
from research.tables.evidence_reach import evidence_aims, evidence_aims_small
from research.tables.false_claims_table import false_claims, forged_data
from research.tables.field_tables import apart, by_budget, by_family, by_independents, times
from research.tables.inherited_table import inherited
from research.tables.leaderboard import leaderboard
from research.tables.level_tables import auto, components, found, relation, residual, splits, sums
from research.tables.modality_tables import of_zoo
from research.tables.reach_tables import by_family as families_reached
from research.tables.reach_tables import reached
from research.tables.rederived_table import rederived
from research.tables.sibling_tables import by_tuning, ranking, shared_part
from research.tables.swap_tables import swaps
from research.tables.theory_tables import certificates, e_values, moved, simulations
from research.tables.thief_tables import paid
from research.tables.transfer_tables import aims, behind_evasions, called_by_kind, called_by_tuning, relations
from research.tables.uap_halves_table import halves
from research.tables.uap_tables import studies
from research.tables.zoo_tables import called_derived, hours, zoo_rates

DOCS = RESULTS.parent.parent / "docs"
ZOOS = ("digits", "fashion", "cifar10")
MODALITIES = ("series", "control-charts", "vector", "made-up-languages", "text")
Texts = dict[str, str]  # what stands behind each marker of a page


def detection(data: str) -> str:
    path = RESULTS / f"detection_{data}.json"
    if not path.exists():
        return "Not measured yet."
    result = json.loads(path.read_text())
    crafted = result["crafting"]
    successes, tried = sum(run["trajectories"] for run in crafted), sum(run["bases_tried"] for run in crafted)
    length = sum(run["path_length_linf"] for run in crafted) / len(crafted)
    flips = sum(run["flips_per_trajectory"] for run in crafted) / len(crafted)
    missing = f" Not measured: {', '.join(result['missing'])}." if result["missing"] else ""
    walks = (
        f"{successes} of {tried} rightly classified bases ended in a full surface trajectory; mean L-infinity length "
        f"{length:.2f}, {flips:.1f} label changes a trajectory.{missing}"
    )
    return f"{table(result)}\n\n{walks} {_made_on(result)}"


def speed() -> str:
    path = RESULTS / "adv_tra_speed.json"
    if not path.exists():
        return "Not measured yet."
    result = json.loads(path.read_text())
    reference = result["reference"]
    seconds = sorted(result["seconds_100_trajectories"])
    rows = [
        ("100 surface trajectories (l = 2, m = 9), median", f"{seconds[len(seconds) // 2]:.2f} s", ""),
        ("over the bare cost of the evaluations performed", _ratio(result["craft_over_bare_evaluations"]), "<= 1.3"),
        ("over the bare cost of the steps contained", _ratio(result["craft_over_bare_steps"]), "<= 6, aim 3"),
        ("the walk over the same in single precision", _ratio(result["craft_over_single"]), ""),
        ("verify over a bare batched forward pass", _ratio(result["verify_over_bare_forward"]), "<= 1.15"),
        (
            f"one-image loop of the published algorithm, {reference['bases']} bases, {reference['finished']} finished",
            f"{reference['seconds_per_base']:.1f} s a base",
            "",
        ),
        ("ours is faster, per base tried", f"{reference['speedup_per_base']:.0f} times", ">= 100"),
    ]
    if reference["speedup_per_trajectory"]:
        rows.append(("ours is faster, per finished trajectory", f"{reference['speedup_per_trajectory']:.0f} times", ""))
    body = "\n".join(f"| {what} | {value} | {aim} |" for what, value, aim in rows)
    return f"| what | measured | aim |\n|---|---|---|\n{body}\n\n{_made_on(result)}"


def _ratio(ratio: dict[str, Any]) -> str:
    return f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f}, n = {ratio['n']})"


def _made_on(result: dict[str, Any]) -> str:
    how = result["provenance"]
    return f"({how['date']}, revision {how['revision']}, torch {how['torch']}, {how['threads']} thread(s).)"


def _results() -> Texts:
    detected = {name: detection(name) for name in ("digits", "fashion-mnist", "cifar10")}
    return {**detected, "speed": speed()}


def _uap() -> Texts:
    read = {
        f"fashion uap {access}": zoo_rates("fashion", "uap", access) + "\n\n" + called_derived("fashion", "uap", access)
        for access in ("labels", "scores")
    }
    return {**read, **studies(), "uap halves": halves()}


def _adv_tra() -> Texts:
    found_in = {f"{name} found": zoo_rates(name) for name in ZOOS}
    called = {f"{name} independents": called_derived(name) for name in ZOOS}
    return {**found_in, **called, "hours": hours(ZOOS), "inherited": inherited()}


def _schemes() -> Texts:
    return {
        "family 200": by_family("fashion", "tpr_at_1", 200),
        "auc 200": by_family("fashion", "auc", 200),
        "family 4000": by_family("fashion", "tpr_at_1", 4000),
        "budgets labels": by_budget("fashion", "tpr_at_1"),
        "budgets scores": by_budget("fashion", "tpr_at_1", access="scores"),
        "budgets extraction": by_budget("fashion", "auc", attack="extraction"),
        "independents 200": by_independents("fashion", 200),
        "independents 50": by_independents("fashion", 50),
        "times": times(),
        "apart": apart(),
        "apart scores": apart("fashion-scores", "scores"),
    }


def _evasion() -> Texts:
    return {
        "evasion found": evasion_rates("fashion-evasion"),
        "evasion auc": areas("fashion-evasion"),
        "evasion verdicts": verdicts("fashion-evasion"),
        "evasion scores": evasion_rates("fashion-evasion", "scores"),
        "expect": expected("fashion-evasion", "fashion-expect"),
        "knows the scheme": paid(),
    }


def _siblings() -> Texts:
    by_lineage = {"shared part": shared_part(), "siblings by tuning": by_tuning(), "ranking": ranking()}
    transfer = {"transfer": of_zoo("transfer"), "transfer aims": aims(), "transfer kinds": called_by_kind()}
    later = {"transfer field": of_zoo("transfer-field"), "transfer field kinds": called_by_kind("transfer-field")}
    later["transfer tunings"] = called_by_tuning()
    return {**by_lineage, **transfer, **later, "transfer relations": relations(), "transfer evaded": behind_evasions()}


def _reach() -> Texts:
    texts = {"reached": reached(), "families reached": families_reached(), "answers reached": answer_aims()}
    texts["evidence reached"] = evidence_aims()
    if (RESULTS / "cifar10-small.json").exists():
        texts["cifar10-small budgets"] = by_budget("cifar10-small", "tpr_at_1")
        texts["cifar10-small family"] = by_family("cifar10-small", "auc", 200)
    if (RESULTS / "cifar10-small-contrast.json").exists():
        texts["cifar10-small apart"] = apart("cifar10-small-contrast")
    if (RESULTS / "cifar10-small-evidence.json").exists():
        texts["evidence small reached"] = evidence_aims_small()
        texts["evidence small found"] = found("cifar10-small-evidence")
    return {**texts, "cifar10": of_zoo("cifar10")}


PAGES: dict[str, Callable[[], Texts]] = {
    "results.md": _results,
    "uap.md": _uap,
    "adv-tra.md": _adv_tra,
    "schemes.md": _schemes,
    "bench.md": lambda: {"recorded labels": by_scheme(), "harder tables": harder()},
    "leaderboard.md": lambda: {"leaderboard fashion": leaderboard("fashion")},
    "evidence-levels.md": lambda: {"found": found(), "splits": splits(), "relation": relation()},
    "design/0014-residual.md": lambda: {"residual": residual(), "components": components()},
    "design/0016-auto.md": lambda: {"auto": auto(), "sums": sums()},
    "evasion.md": _evasion,
    "threat-model.md": lambda: {"false claims": false_claims(), "forged data": forged_data()},
    "evidence.md": lambda: {"rederived": rederived()},
    "theory.md": lambda: {
        "theory": simulations(),
        "e values": e_values(),
        "certificate": certificates(),
        "moved": moved(),
    },
    "modalities.md": lambda: {f"zoo {name}": of_zoo(name) for name in MODALITIES},
    "design/0018-texts.md": lambda: {"swaps": swaps()},
    "siblings.md": _siblings,
    "reach.md": _reach,
}


def main(pages: Sequence[str]) -> None:
    """Write the tables into their pages; into all unless some are named."""
    for name in pages or PAGES:
        _fill(name, PAGES[name]())


def _fill(name: str, texts: dict[str, str]) -> None:
    page = (DOCS / name).read_text()
    for marker, text in texts.items():
        page = filled(page, marker, text)
    write_text(DOCS / name, page)


def filled(page: str, marker: str, text: str) -> str:
    """A page with a text between a marker and the next heading or marker, in place of what stands there.

    Raises:
        ValueError: more paragraphs stand there than in the text: somebody wrote below a table.
    """
    old = re.search(rf"(?<=<!-- {marker} -->\n)(.*?)(?=\n#|\n<!-- |\Z)", page, flags=re.DOTALL)
    if old is None:
        return page
    if len(old[0].strip().split("\n\n")) > len(text.strip().split("\n\n")):
        raise ValueError(f"what is written below <!-- {marker} --> would be lost: move it above the marker")
    return f"{page[: old.start()]}\n{_wrapped(text)}\n{page[old.end() :]}"


def _wrapped(text: str) -> str:
    """The text with lines of at most 120 columns; rows of tables stay whole."""
    fill = TextWrapper(120, break_long_words=False, break_on_hyphens=False).fill
    return "\n".join(line if line.startswith("|") else fill(line) for line in text.split("\n"))


if __name__ == "__main__":
    main(sys.argv[1:])
