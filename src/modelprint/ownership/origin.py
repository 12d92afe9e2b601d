"""What a model was made from: the source's own origin decides which models are its siblings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelprint.nn.likeness import WeightSketch, sketch_of
from modelprint.nn.loading import LoadedModel, weights_identity


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What is known of a source when models are compared with it.

    Attributes:
        identities: SHA-256 of its file and of its weights, as far as known.
        bases: of the checkpoint that it was made from, if any.
        values: SHA-256 over the values of its weights, whatever the form of their file; None where it is not known.
        sketch: of its weights, where they are at hand.
    """

    identities: frozenset[str]
    bases: frozenset[str] = frozenset()
    values: str | None = None
    sketch: WeightSketch | None = None

    @classmethod
    def of(cls, source: LoadedModel, checkpoint: str | None = None) -> Origin:
        """Of a model that is at hand; `checkpoint`: SHA-256 of what it was tuned from, where a user named it."""
        recipe = {} if source.card is None else source.card.recipe
        bases = {made_from(recipe), origin_of(recipe), checkpoint} - {None}
        sketch = sketch_of(source.module)
        return cls(
            identities=frozenset({source.identity, weights_identity(source.module)}),
            bases=frozenset(str(base) for base in bases),
            values=None if sketch is None else sketch.values,
            sketch=sketch,
        )


def made_from(recipe: Mapping[str, Any]) -> str | None:
    """SHA-256 of the model that an attack made this one from, by its card."""
    return recipe.get("source")


def origin_of(recipe: Mapping[str, Any]) -> str | None:
    """SHA-256 of the checkpoint that training started from, by its card."""
    start = recipe.get("init")
    return str(start["sha256"]) if isinstance(start, Mapping) and "sha256" in start else None
