"""Data sets that an owner forges so that a scheme picks queries which other models answer as his does.

How is told in `forged_data`, which measures what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import nn

from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes.base import Scheme
from modelprint.training.loop import predict
from modelprint.zoo.population import load
from modelprint.zoo.reference_models.shadows import Shadows
from research.studies.false_claims import TRAJECTORIES, Cast, Modules, Pull, cast_of, steered

BUDGET = 100
BUDGETS: Mapping[str, int] = {"cae": 50}  # its ensembles of sixteen models take minutes for a hundred
CANDIDATES = 160  # images that are moved, of which the best are kept
MIXED = 75  # of either half of FBI's data
TWINS = 3  # of each image that ADV-TRA is to walk from, one level off
SETTINGS: Mapping[str, Mapping[str, str]] = {
    **TRAJECTORIES,
    "sac": {"inputs": "mistakes"},
    "contrast": {"candidates": "4000"},
    "ipguard": {"target": "least-likely"},
}
REHEARSED: Mapping[str, tuple[int, int]] = {"ipguard": (700, 130), "cae": (192, 90), "adv-tra": (160, 9)}  # chosen of


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Whom a data set is forged against.

    Attributes:
        name: of what is kept in the cache.
        friends: models that are to answer as the source does; `others`: reference models that are not.
        references: those that enrollment gets.
    """

    name: str
    friends: Modules
    others: Modules
    references: tuple[LoadedModel, ...]


@dataclass(frozen=True, kw_only=True)
class World:
    """The cast of `false_claims` with its images shared out.

    Attributes:
        owners, judges_images: halves of the query images; `owners_training`, `judges_training`: what UAP takes.
    """

    cast: Cast
    owners: LabelledSet
    judges_images: LabelledSet
    owners_training: LabelledSet
    judges_training: LabelledSet
    place: Path

    @cached_property
    def easy(self) -> LabelledSet:
        """The owner's images that the source and all reference models get right."""
        models = (self.cast.owner.module, *self.cast.surrogates)
        right = [self.labels(model, self.owners) == self.owners.labels for model in models]
        return self.owners.take(np.flatnonzero(np.all(right, axis=0))[:CANDIDATES])

    @cached_property
    def copies(self) -> Modules:
        """The surrogates that enrollment gets."""
        return [model.module for model in self.cast.shadows.surrogates if isinstance(model, LoadedModel)]

    def labels(self, model: nn.Module, data: LabelledSet) -> np.ndarray:
        """A model's classes (n,)."""
        answers: np.ndarray = predict(model, torch.from_numpy(data.stored)).argmax(1).numpy()
        return answers


@dataclass(frozen=True, kw_only=True)
class Commitment:
    """What the owner commits: images, training images, reference models, and how many of the images are his making."""

    seeds: LabelledSet
    train_data: LabelledSet
    references: tuple[LoadedModel, ...]
    forged: int = 0


@dataclass
class Forger:
    """Makes data for one scheme; what was rehearsed serves all targets."""

    world: World
    scheme: Scheme
    rehearsals: dict[int, tuple[LabelledSet, Fingerprint]] = field(default_factory=dict)

    def commitment(self, targets: Targets) -> Commitment:
        """Data that make the scheme pick queries against these targets."""
        makers: Mapping[str, Callable[[Targets], tuple[LabelledSet, int]]] = {
            "fbi": self._mixed,
            "cort": self._sure,
            "uap": self._training,
            **dict.fromkeys(REHEARSED, self._chosen),
        }
        data, forged = makers.get(self.scheme.name, self._mistakes)(targets)
        if self.scheme.name == "uap":
            seeds, train_data = self.world.owners, data
        else:
            seeds, train_data = data, self.world.owners_training
        return Commitment(seeds=seeds, train_data=train_data, references=targets.references, forged=forged)

    def _moved(self, kind: str, targets: Targets, pulls: Callable[[LabelledSet], Sequence[Pull]]) -> LabelledSet:
        """The easy images, moved; kept in the cache."""
        easy = self.world.easy
        path = self.world.place / f"{kind}-{targets.name}.npy"
        if not path.exists():
            images = steered(pulls(easy), easy.stored)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, images)
        return LabelledSet(name="forged", stored=np.load(path), labels=easy.labels, class_names=easy.class_names)

    def _wrong(self, targets: Targets, wanted: int) -> LabelledSet:
        """Images that source, surrogates and friends take for the source's second class, and others do not."""
        world, owner = self.world, self.world.cast.owner.module

        def pulls(easy: LabelledSet) -> list[Pull]:
            second = predict(owner, torch.from_numpy(easy.stored)).topk(2, dim=1).indices[:, 1]
            together = (owner, *world.copies, *targets.friends)
            return [Pull(models=together, target=second), Pull(models=targets.others, target=second, toward=False)]

        moved = self._moved("wrong", targets, pulls)
        own = world.labels(owner, moved)
        return self._best(moved, own, own != moved.labels, targets, wanted, also=world.copies)

    def _best(
        self,
        moved: LabelledSet,
        own: np.ndarray,
        usable: np.ndarray,
        targets: Targets,
        wanted: int,
        *,
        also: Modules = (),
        wrongly: bool = False,
    ) -> LabelledSet:
        """Usable images, those first that friends answer as is wanted and others do not."""

        def alike(models: Modules, goal: np.ndarray) -> np.ndarray:
            shares = [self.world.labels(model, moved) == goal for model in models]
            return np.mean(shares, axis=0) if shares else np.zeros(len(moved))

        friends = alike(targets.friends, own) if not wrongly else 1 - alike(targets.friends, moved.labels)
        gain = 2 * friends + (alike(also, own) if also else 0) - alike(targets.others, own)
        index = np.flatnonzero(usable)
        return moved.take(index[np.argsort(-gain[index], kind="stable")][:wanted])

    def _mistakes(self, targets: Targets) -> tuple[LabelledSet, int]:
        """Forged mistakes among natural images that the source gets right."""
        wrong, owners = self._wrong(targets, BUDGET + 10), self.world.owners
        right = owners.take(np.flatnonzero(self.world.labels(self.world.cast.owner.module, owners) == owners.labels))
        return joined(wrong, right.take(slice(0, 1900))), len(wrong)

    def _training(self, targets: Targets) -> tuple[LabelledSet, int]:
        """Training images that are all forged."""
        wrong = self._wrong(targets, CANDIDATES)
        return wrong, len(wrong)

    def _mixed(self, targets: Targets) -> tuple[LabelledSet, int]:
        """Half as mistakes; half that source and friends get right, and others, where there are any, wrong."""
        wrong, owner = self._wrong(targets, MIXED), self.world.cast.owner.module

        def pulls(easy: LabelledSet) -> list[Pull]:
            truth = torch.from_numpy(easy.labels)
            return [
                Pull(models=(owner, *targets.friends), target=truth),
                Pull(models=targets.others, target=truth, toward=False),
            ]

        moved = self._moved("right", targets, pulls) if targets.others else self.world.easy
        own = self.world.labels(owner, moved)
        right = self._best(moved, own, own == moved.labels, targets, MIXED)
        return joined(wrong, right), len(wrong) + (len(right) if targets.others else 0)

    def _sure(self, targets: Targets) -> tuple[LabelledSet, int]:
        """Images that the source is surest of and friends get wrong, with natural ones that it is less sure of."""
        world, owner = self.world, self.world.cast.owner.module

        def pulls(easy: LabelledSet) -> list[Pull]:
            truth = torch.from_numpy(easy.labels)
            second = predict(owner, torch.from_numpy(easy.stored)).topk(2, dim=1).indices[:, 1]
            return [
                Pull(models=(owner, *targets.others), target=truth),
                Pull(models=targets.friends, target=second, weight=(1 + len(targets.others)) / len(targets.friends)),
            ]

        moved = self._moved("sure", targets, pulls)
        own = world.labels(owner, moved)
        forged = self._best(moved, own, own == moved.labels, targets, BUDGET + 10, wrongly=True)
        least = self._sureness(forged).min()
        natural = world.owners.take(np.flatnonzero(self._sureness(world.owners) < least)[:1900])
        return joined(forged, natural), len(forged)

    def _sureness(self, data: LabelledSet) -> np.ndarray:
        logits = predict(self.world.cast.owner.module, torch.from_numpy(data.stored)).double()
        sure: np.ndarray = logits.softmax(1).square().sum(1).numpy()
        return sure

    def _chosen(self, targets: Targets) -> tuple[LabelledSet, int]:
        """Natural images from which the rehearsal walked to queries that friends answer as the source does."""
        count, wanted = REHEARSED[self.scheme.name]
        pool = self.world.owners.take(slice(0, count))
        key = len(targets.references)
        if key not in self.rehearsals:
            size = "trajectories" if self.scheme.name in TRAJECTORIES else "queries"
            rehearsing = self.scheme.with_settings({size: str(count)})
            data = Commitment(seeds=pool, train_data=self.world.owners_training, references=targets.references)
            self.rehearsals[key] = pool, enrolled(self.world, rehearsing, data, seed=99, budget=None)
        pool, rehearsed = self.rehearsals[key]
        units = rehearsed.state["group"] if "position" in rehearsed.state else np.arange(len(rehearsed))
        first = np.unique(units, return_index=True)[1]
        flat = [part.reshape(len(part), -1).astype(float) for part in (rehearsed.queries[first], pool.stored)]
        base = cdist(*flat).argmin(axis=1)

        def alike(models: Modules) -> np.ndarray:
            shares = []
            for model in models:
                same = predict(model, torch.from_numpy(rehearsed.queries)).argmax(1).numpy() == rehearsed.source.labels
                shares.append(np.bincount(units, weights=same) / np.bincount(units))
            return np.mean(shares, axis=0) if shares else np.zeros(len(first))

        gain = 2 * alike(targets.friends) - alike(targets.others)
        best = base[np.argsort(-gain, kind="stable")]
        _, order = np.unique(best, return_index=True)
        chosen = pool.take(best[np.sort(order)][:wanted])
        if self.scheme.name not in TRAJECTORIES:
            return chosen, 0
        return joined(chosen, twins := _twins(chosen)), len(twins)


def _twins(data: LabelledSet) -> LabelledSet:
    """Each image a few times again, with pixels one level off: few bases then make all trajectories."""
    off = np.random.default_rng(0).integers(-1, 2, (TWINS, *data.stored.shape))
    stored = (data.stored + off).clip(0, 255).astype(np.uint8).reshape(-1, *data.shape)
    return LabelledSet(name="twins", stored=stored, labels=np.tile(data.labels, TWINS), class_names=data.class_names)


def joined(one: LabelledSet, other: LabelledSet) -> LabelledSet:
    """Both sets' images, in an order that tells nothing."""
    order = np.random.default_rng(0).permutation(len(one) + len(other))
    return LabelledSet(
        name="committed",
        stored=np.concatenate([one.stored, other.stored])[order],
        labels=np.concatenate([one.labels, other.labels])[order],
        class_names=one.class_names,
    )


def enrolled(world: World, scheme: Scheme, data: Commitment, *, seed: int, budget: int | None = BUDGET) -> Fingerprint:
    """By the published algorithm, on whatever data."""
    return enroll(
        world.cast.owner,
        data.seeds,
        scheme=scheme,
        seed=seed,
        budget=None if scheme.name in TRAJECTORIES or budget is None else BUDGETS.get(scheme.name, budget),
        shadows=shadows(world, scheme, data),
        train_data=data.train_data if scheme.needs.train_images else None,
    )


def shadows(world: World, scheme: Scheme, data: Commitment) -> Shadows | None:
    """What enrollment learns from, where the scheme does not work without."""
    if not scheme.needs.shadows:
        return None
    return Shadows(surrogates=world.cast.shadows.surrogates, references=data.references)


def world_of(place: Path) -> World:
    """Halves of the zoo's query images, and of its images two thousand each for UAP."""
    cast = cast_of(load("fashion"))
    half = len(cast.seeds) // 2
    return World(
        cast=cast,
        owners=cast.seeds.take(slice(0, half), name="the owner's"),
        judges_images=cast.seeds.take(slice(half, None), name="the judge's"),
        owners_training=cast.train_data.take(slice(0, 2000)),
        judges_training=load_data("fashion-mnist:attacker[0:2000]"),
        place=place,
    )
