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
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import provenance, write_result
from modelprint.core.files import write_text
from modelprint.data.splits import load_data
from modelprint.lineage import (
    LineageReference,
    LineageResult,
    StateTensors,
    SuspectForms,
    ancestry,
    compare,
    reference_of,
)
from modelprint.lineage.compare import best_orders, too_few
from modelprint.lineage.figures import products, shares_of
from modelprint.lineage.pairing import sizes_of
from modelprint.lineage.permutation import matched_p_value
from modelprint.lineage.reading import Reader, named_orders
from modelprint.stats.calibration import ranked_by_kind
from modelprint.stats.intervals import clopper_pearson
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.zoo.population import ZooModel, load
from research.studies.lineage_copies import TRAINED, UNTRAINED, Copy, rearranged, remade, soups

ALPHA = 0.05
WORTH = 0.85
NOTHING = -1.0  # score of a model whose weights are not comparable: below every other
FROM_ANSWERS = ("extracted", "Knockoff", "JBDA", "data-free", "distilled")


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A model, and what is known of it.

    Attributes:
        group: family of a copy, or kind of an independent model (COPY: of another model).
    """

    name: str
    group: str
    tensors: StateTensors
    worth: float = 1.0


def suspect(model: ZooModel, group: str, worth: float = 1.0) -> Suspect:
    return Suspect(name=model.id, group=group, tensors=StateTensors(model.load().module.body.state_dict()), worth=worth)


def group_of(model: ZooModel) -> str:
    """The family of a copy; chains by how they began."""
    attack = str(model.attack)
    return "extraction" if attack.startswith(FROM_ANSWERS) else str(model.family)


def scored(reference: LineageReference, suspects: Iterable[Suspect], *, align: bool = True) -> dict[str, float]:
    return scored_by([reference], suspects, align=align)[0]


def scored_by(
    references: Sequence[LineageReference], suspects: Iterable[Suspect], *, align: bool = True
) -> list[dict[str, float]]:
    """Scores as `compare` gives them, by references of one source with other shared models: channels match alike."""
    scores: list[dict[str, float]] = [{} for _ in references]
    for each in suspects:
        reader = Reader(reference=references[0], suspect=SuspectForms(each.tensors))
        pairs = reader.suspect.comparable(references[0].layers).pairs
        few = too_few(references[0], pairs)
        orders = best_orders(reader, pairs).orders if align and not few else named_orders(sizes_of(pairs))
        for row, reference in zip(scores, references, strict=True):
            parts = [products(replace(reader, reference=reference), pair, orders) for pair in pairs]
            shares = None if few else shares_of(parts)
            row[each.name] = NOTHING if shares is None else shares.source
    return scores


def interval(count: int, n: int) -> list[float]:
    ends = clopper_pearson(count, n)
    return [ends.low, ends.high]


class Study:
    """The zoo, read once."""

    def __init__(self, zoo: Path | None) -> None:
        self.models = load("fashion", folder=zoo)
        self.attacker, self.holdout = (
            load_data(f"fashion-mnist:{part}") for part in ("attacker[0:10000]", "holdout[0:5000]")
        )
        self.base = next(model for model in self.models if model.part == "base")
        self.sources = [model for model in self.models if model.part == "source"]
        parts = ("rehearsal", "calibration", "test")
        self.siblings = {part: self.those(part, lambda model: model.kind == "SHARED") for part in parts}

    def those(self, part: str, chosen: Callable[[ZooModel], bool]) -> list[ZooModel]:
        """The chosen models of a part."""
        return [model for model in self.models if model.part == part and chosen(model)]

    def tensors(self, models: Sequence[ZooModel]) -> list[StateTensors]:
        """Their weights."""
        return [StateTensors(model.load().module.body.state_dict()) for model in models]

    def reference(self, source: ZooModel, shared: Sequence[ZooModel]) -> LineageReference:
        """Of a source, less what it shares with some models."""
        return reference_of(self.tensors([source])[0], shared=self.tensors(shared))

    def shared(self, source: ZooModel) -> list[ZooModel]:
        """What is taken away: nothing for a source from scratch."""
        return [self.base, *self.siblings["rehearsal"]] if source.id == "source-3" else []

    def copies(self, source: ZooModel, parts: Sequence[str]) -> list[Suspect]:
        """Those that the plan holds."""
        chosen = [model for part in parts for model in self.those(part, lambda model: model.source == source.id)]
        return [suspect(model, group_of(model), model.accuracy / source.accuracy) for model in chosen]

    def made_here(self, source: ZooModel, *, seed: int, trained: bool) -> list[Suspect]:
        """Those that the plan does not hold."""
        recipes = {**UNTRAINED, **(TRAINED if trained else {})}
        copies = remade(recipes, source.load(), self.attacker, self.holdout, seed=seed)
        return [made_suspect(copy, "made here: " + copy.name) for copy in copies]

    def moved(self, source: ZooModel) -> list[Suspect]:
        """The committed copies from weights, each with channels permuted and rescaled."""
        few = self.attacker.take(slice(0, 2))
        copies = self.those("test", lambda model: model.source == source.id and model.same_classes)
        return [
            Suspect(
                name=model.id + ", permuted, rescaled",
                group=group_of(model) + ", permuted, rescaled",
                tensors=StateTensors(rearranged(model, few, seed=8000 + place)),
                worth=model.accuracy / source.accuracy,
            )
            for place, model in enumerate(copies)
            if group_of(model) != "extraction"
        ]

    def independents(self, source: ZooModel, part: str) -> list[Suspect]:
        """Of all kinds; copies of other models among them."""
        own = self.those(part, lambda model: model.role == "independent")
        others = self.those(part, lambda model: model.role == "derived" and model.source != source.id)
        return [suspect(model, str(model.kind)) for model in own] + [suspect(model, "COPY") for model in others]


def made_suspect(copy: Copy, group: str) -> Suspect:
    return Suspect(name=copy.name, group=group, tensors=StateTensors(copy.state), worth=copy.worth)


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
