"""The fashion zoo as the studies of weights read it: suspects of each kind, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modelprint.data.splits import load_data
from modelprint.lineage import LineageReference, StateTensors, SuspectForms, reference_of
from modelprint.lineage.compare import best_orders, too_few
from modelprint.lineage.figures import products, shares_of
from modelprint.lineage.pairing import sizes_of
from modelprint.lineage.reading import Reader, named_orders
from modelprint.stats.intervals import clopper_pearson
from modelprint.zoo.population import ZooModel, load
from research.studies.lineage_copies import TRAINED, UNTRAINED, Copy, rearranged, remade

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
