"""What weights tell of copies, siblings, third-party copies and independent models, on the fashion zoo.

    python -m research.studies.lineage [--zoo benchmarks/zoo/fashion] [--jobs N] --folder FOLDER

Sources 1 and 2 were trained from scratch; source 3 was tuned from the base, as its siblings were. What siblings share
is taken away by the base and the six siblings of the rehearsal part; the twenty of the calibration part calibrate, so
that none does both. Everything was chosen on the shadow, rehearsal and calibration parts and the sweeps
("development"); the test part is scored once for each configuration. Copies that the plan does not hold are made here
from recipes (`lineage_copies`). FOLDER keeps finished parts. Writes benchmarks/results/lineage_fashion.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import provenance, write_result
from modelprint.core.files import write_text
from modelprint.lineage import LineageResult, StateTensors, SuspectForms, ancestry, compare
from modelprint.lineage.permutation import matched_p_value
from modelprint.lineage.reading import Reader
from modelprint.stats.calibration import ranked_by_kind
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.zoo.population import ZooModel
from research.studies.lineage_copies import remade, soups
from research.studies.lineage_field import (
    NOTHING,
    Study,
    Suspect,
    interval,
    scored,
    scored_by,
)

ALPHA = 0.05
WORTH = 0.85


def development(study: Study, source: ZooModel) -> dict[str, Any]:
    """The margins on which the configuration was chosen."""
    copies = [each for each in study.copies(source, ("shadow", "rehearsal", "sweep")) if each.group != "extraction"]
    copies += study.made_here(source, seed=5000, trained=False)
    copies = [each for each in copies if each.worth >= WORTH]
    independents = study.independents(source, "calibration")
    rehearsal, base = study.siblings["rehearsal"], study.base
    settings: dict[str, list[ZooModel]] = {"nothing shared": []}
    if source.id == "source-3":
        settings |= {
            "base": [base],
            "3 siblings": rehearsal[:3],
            "6 siblings": rehearsal,
            "base and 6 siblings": [base, *rehearsal],
        }
    references = [study.reference(source, shared) for shared in settings.values()]
    rows = []
    for align in (True, False):
        own, other = (scored_by(references, group, align=align) for group in (copies, independents))
        for place, name in enumerate(settings):
            lowest = min(own[place], key=own[place].__getitem__)
            rows.append(
                {
                    "shared": name,
                    "aligned": align,
                    "lowest_copy": {"name": lowest, "score": own[place][lowest]},
                    "highest_by_kind": highest(independents, other[place]),
                    "copies": len(copies),
                }
            )
            print(source.id, rows[-1], flush=True)
    return {"source": source.id, "rows": rows}


def highest(suspects: Sequence[Suspect], scores: dict[str, float]) -> dict[str, dict[str, Any]]:
    kinds: dict[str, list[float]] = defaultdict(list)
    for each in suspects:
        kinds[each.group].append(scores[each.name])
    return {
        kind: {
            "n": len(values),
            "comparable": sum(value > NOTHING for value in values),
            "highest": max(values),
            "mean": float(np.mean([value for value in values if value > NOTHING] or [NOTHING])),
        }
        for kind, values in sorted(kinds.items())
    }


def tested(study: Study, source: ZooModel) -> dict[str, Any]:
    """The test part of one source, scored once."""
    reference = study.reference(source, study.shared(source))
    copies = study.copies(source, ("test",)) + study.made_here(source, seed=6000, trained=True)
    copies += study.moved(source)
    independents, calibration = study.independents(source, "test"), study.independents(source, "calibration")
    own, other = scored(reference, copies), scored(reference, independents)
    calibrating = scored(reference, calibration)
    values, kinds = np.array(list(calibrating.values())), [each.group for each in calibration]
    ranks = {
        name: ranked_by_kind(values, kinds, ALPHA, score=score).p_value or 1.0
        for name, score in {**own, **other}.items()
    }
    others = np.array(list(other.values()))
    families: dict[str, list[Suspect]] = defaultdict(list)
    for each in copies:
        worthless = each.worth < WORTH and "transfer" not in each.group and "another head" not in each.group
        families["worthless" if worthless else each.group].append(each)
    rows = []
    for family, members in sorted(families.items()):
        scores = np.array([own[each.name] for each in members])
        hits = sum(ranks[each.name] <= ALPHA for each in members)
        rows.append(
            {
                "family": family,
                "n": len(members),
                "lowest": float(scores.min()),
                "auc": auc(scores, others),
                "tpr_at_1": tpr_at_fpr(scores, others, fpr=0.01),
                "verdict_derived": hits,
                "interval": interval(hits, len(members)),
                "members": {each.name: {"score": own[each.name], "worth": each.worth} for each in members},
            }
        )
        print(source.id, {key: value for key, value in rows[-1].items() if key != "members"}, flush=True)
    by_kind = highest(independents, other)
    for kind, entry in by_kind.items():
        count = sum(ranks[each.name] <= ALPHA for each in independents if each.group == kind)
        entry |= {"verdict_derived": count, "interval": interval(count, entry["n"])}
    print(source.id, by_kind, flush=True)
    return {
        "source": source.id,
        "shared": len(study.shared(source)),
        "families": rows,
        "independents": by_kind,
        "calibration": highest(calibration, calibrating),
    }


def averaged(study: Study, source: ZooModel) -> list[dict[str, Any]]:
    """Soups with an independent model and, where there are any, with a sibling."""
    reference = study.reference(source, study.shared(source))
    partners = {"independent": study.those("test", lambda model: model.kind == "SAST")[0]}
    if source.id == "source-3":
        partners["sibling"] = study.siblings["test"][0]
    rows = []
    for name, partner in partners.items():
        known = {"source": study.tensors([source])[0], "partner": study.tensors([partner])[0]}
        for share, copy in soups(source.load(), partner, study.attacker, study.holdout):
            tensors = StateTensors(copy.state)
            rows.append(
                {
                    "source": source.id,
                    "with": name,
                    "share": share,
                    "score": compare(reference, tensors, p_value=False).score,
                    "worth": copy.worth,
                    "ancestry": ancestry(tensors, known),
                }
            )
            print(rows[-1], flush=True)
    return rows


def siblings_removed(study: Study) -> list[dict[str, Any]]:
    """Source 3 with 0, 3, 8 and 20 siblings, with and without the base; aligned and not. Siblings: of other parts."""
    source = study.sources[2]
    pool = [*study.siblings["calibration"]]
    copies = [
        each
        for each in study.copies(source, ("test",))
        if each.group != "extraction" and (each.worth >= WORTH or each.group == "transfer")
    ]
    independents = [each for each in study.independents(source, "test") if each.group in ("SAST", "SHARED", "COPY")]
    rows = []
    settings = [(count, base) for count in (0, 3, 8, 20) for base in (False, True)]
    references = [study.reference(source, [*([study.base] if base else []), *pool[:n]]) for n, base in settings]
    for align in (True, False):
        own, other = (scored_by(references, group, align=align) for group in (copies, independents))
        for place, (count, base) in enumerate(settings):
            scores, others = np.array(list(own[place].values())), np.array(list(other[place].values()))
            rows.append(
                {
                    "siblings": count,
                    "base": base,
                    "aligned": align,
                    "tpr_at_1": tpr_at_fpr(scores, others, fpr=0.01),
                    "auc": auc(scores, others),
                    "n": [len(scores), len(others)],
                    "lowest_copy": float(scores.min()),
                    "highest_by_kind": highest(independents, other[place]),
                }
            )
            print(rows[-1], flush=True)
    return rows


def permuted(study: Study, source: ZooModel) -> dict[str, Any]:
    """P-values from permuted channels of the independent models of the calibration part, by kind, and of copies."""
    reference = study.reference(source, [])
    named: dict[str, list[float]] = defaultdict(list)
    matched: dict[str, list[float]] = defaultdict(list)
    copies = [each for each in study.copies(source, ("shadow", "rehearsal")) if each.group != "extraction"]
    for each in [*study.independents(source, "calibration"), *copies]:
        reader = Reader(reference=reference, suspect=SuspectForms(each.tensors))
        pairs = reader.suspect.comparable(reference.layers).pairs
        value = compare(reference, each.tensors, align=False).named_p_value
        other = matched_p_value(reader, pairs) if pairs else None
        if value is not None and other is not None:
            named[each.group].append(value)
            matched[each.group].append(other)
    return {
        "source": source.id,
        "groups": {
            group: {
                "n": len(values),
                "named_at_most_0.05": sum(value <= ALPHA for value in values),
                "matched_at_most_0.05": sum(value <= ALPHA for value in matched[group]),
            }
            for group, values in named.items()
        },
    }


def differences(study: Study, source: ZooModel) -> list[dict[str, Any]]:
    """The rank of what was added to each weight, by merged adapters and by fine-tuning of all weights."""
    reference = study.reference(source, [])
    recipes = {
        "LoRA, rank 2": ("lora", {"rank": "2", "epochs": "3"}),
        "LoRA, rank 4": ("lora", {"rank": "4", "epochs": "3"}),
        "FTAL": ("ftal", {"epochs": "3"}),
    }
    rows = []
    for copy in remade(recipes, source.load(), study.attacker.take(slice(0, 5000)), study.holdout, seed=7000):
        result: LineageResult = compare(reference, StateTensors(copy.state), p_value=False)
        rows.append(
            {
                "name": copy.name,
                "score": result.score,
                "worth": copy.worth,
                "weights": [
                    {"name": figure.name, "size": figure.difference, "rank": figure.difference_rank}
                    for figure in result.weights
                ],
            }
        )
        print(rows[-1], flush=True)
    return rows


def piece(zoo: Path | None, folder: Path, name: str, source: int) -> Any:
    """One part of the result, in a process of its own; what the folder holds of it already is taken."""
    torch.set_num_threads(1)
    path = folder / f"{name}-{source + 1}.json"
    if not path.exists():
        write_text(path, json.dumps(computed(Study(zoo), name, source)))
    return json.loads(path.read_text())


def computed(study: Study, name: str, source: int) -> Any:
    if name == "siblings":
        return siblings_removed(study)
    parts: dict[str, Callable[[Study, ZooModel], Any]] = {
        "test": tested,
        "development": development,
        "soups": averaged,
        "p_values": permuted,
        "differences": differences,
    }
    return parts[name](study, study.sources[source])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True, help="of finished parts")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    wanted = [(name, source) for name in ("test", "soups", "development") for source in range(3)]
    wanted += [("siblings", 2), ("p_values", 0), ("p_values", 2), ("differences", 0)]
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        pieces = {each: pool.submit(piece, arguments.zoo, arguments.folder, *each) for each in wanted}
        done = {each: future.result() for each, future in pieces.items()}
    result = {
        "alpha": ALPHA,
        "development": [done["development", source] for source in range(3)],
        "test": [done["test", source] for source in range(3)],
        "soups": [row for source in range(3) for row in done["soups", source]],
        "siblings": done["siblings", 2],
        "p_values": [done["p_values", source] for source in (0, 2)],
        "differences": done["differences", 0],
        "provenance": provenance(),
    }
    write_result("lineage_fashion.json", result)


if __name__ == "__main__":
    main()
