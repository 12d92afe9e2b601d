"""The Fashion-MNIST zoo as the UAP benchmarks take it: sources, shadow models, copies, innocents."""

from __future__ import annotations

from pathlib import Path

from modelprint.attacks.make import make
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.zoo import population
from modelprint.zoo.population import ZooModel
from modelprint.zoo.recipes import Theft

KEPT = 0.85  # of the source's accuracy; below it a copy is worthless


class Zoo:
    """The models that are there, by their part in the experiment.

    Args:
        thinning: every so-manieth independent model is taken.
    """

    def __init__(self, folder: Path, *, thinning: int = 1) -> None:
        self.models = {model.id: model for model in population.load("fashion", folder=folder)}
        self.thinning = thinning
        self.train, self.seeds = load_data("fashion-mnist:owner"), load_data("fashion-mnist:queries")
        self.extra: dict[str, Normalized] = {}

    @property
    def sources(self) -> list[str]:
        """Ids of the models to be enrolled."""
        return [model.id for model in self.models.values() if model.part == "source"]

    def module(self, name: str) -> Normalized:
        """A model, by its id."""
        module = self.extra[name] if name in self.extra else self.models[name].load().module
        assert isinstance(module, Normalized)
        return module

    def arch(self, name: str) -> tuple[str, dict[str, object]]:
        """Architecture and its arguments."""
        spec = self.models[name].load().spec
        assert spec is not None
        return spec.arch, dict(spec.arch_args)

    def shadows(self, source: str) -> tuple[list[str], list[str]]:
        """Shadow copies of a source, and shadow strangers."""
        shadow = [model for model in self.models.values() if model.part == "shadow"]
        return (
            [model.id for model in shadow if model.source == source],
            [model.id for model in shadow if model.role == "independent"],
        )

    def copies(self, source: str) -> list[str]:
        """Test copies that keep their worth and the source's classes."""
        least = KEPT * self.models[source].accuracy
        return [
            model.id
            for model in self.models.values()
            if model.part == "test" and model.source == source and model.same_classes and model.accuracy >= least
        ]

    def independents(self, part: str) -> list[str]:
        """Independent models of a part."""
        ids = [model.id for model in self.models.values() if model.part == part and model.role == "independent"]
        return ids[:: self.thinning]

    def steal_strangers(self, count: int) -> list[str]:
        """Copies of shadow strangers, made by the shadow copies' recipes: an owner can make such models himself."""
        shadow = [model for model in self.models.values() if model.part == "shadow"]
        thefts = [model for model in shadow if model.source == self.sources[0]]
        victims = [model for model in shadow if model.kind == "SAST"]
        names = [f"stolen-{number}" for number in range(count)]
        for number, name in enumerate(names):
            if name not in self.extra:
                self.extra[name] = _stolen(thefts[number % len(thefts)], victims[number % len(victims)], 7000 + number)
        return names


def _stolen(like: ZooModel, victim: ZooModel, seed: int) -> Normalized:
    recipe, loaded = like.entry.recipe, victim.load()
    assert isinstance(recipe, Theft)
    assert isinstance(loaded.module, Normalized)
    assert loaded.spec is not None
    return make(recipe.method(), loaded.module, loaded.spec, load_data(recipe.data), seed=seed).model
