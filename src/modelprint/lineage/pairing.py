"""Which weight of a suspect stands for which weight of the source: by name, else by shape and position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from modelprint.lineage.forms import LAYOUTS
from modelprint.lineage.tensors import Tensors
from modelprint.lineage.weights import Weight, weights_of
from modelprint.lineage.wiring import Wired

_WRAPPERS = ("module.", "model.", "body.", "state_dict.", "_orig_mod.")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A weight of the source, and the suspect's that stands for it.

    Attributes:
        rows, columns: channels of the suspect's weight.
    """

    layer: Wired
    weight: Weight
    rows: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The pairs in the source's order, and what is left over on both sides.

    Attributes:
        other_shape: weights of the source, and the suspect's of that name whose shape cannot be compared.
    """

    pairs: tuple[Pair, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    other_shape: tuple[tuple[Wired, Weight], ...]

    @property
    def numel(self) -> int:
        """How many of the source's numbers are paired."""
        return sum(pair.layer.numel for pair in self.pairs)


def paired(layers: Sequence[Wired], tensors: Tensors) -> Pairing:
    """Pairs for the file layout under which most of the source's numbers find one."""
    pairings = [_paired(layers, weights_of(tensors, layout=layout)) for layout in LAYOUTS]
    return max(pairings, key=lambda pairing: pairing.numel)


def _paired(layers: Sequence[Wired], weights: Sequence[Weight]) -> Pairing:
    """Equal shapes by name, then by position; in a net with other numbers of channels each weight in its place.

    A net of another architecture has other layers, and its weights of other shapes are not compared.
    """
    partner: dict[int, int] = {}
    _by_name(partner, layers, weights)
    if _narrowed(layers, weights):
        free = set(range(len(weights))) - set(partner.values())
        partner.update({place: place for place in range(len(layers)) if place not in partner and place in free})
    else:
        _by_position(partner, layers, weights)
    pairs, other = [], []
    for place in sorted(partner):
        layer, weight = layers[place], weights[partner[place]]
        if _fits(layer, weight):
            pairs.append(Pair(layer=layer, weight=weight, rows=weight.rows, columns=weight.inputs // layer.run))
        else:
            other.append((layer, weight))
    return Pairing(
        pairs=tuple(pairs),
        missing=tuple(layer.name for place, layer in enumerate(layers) if place not in partner),
        extra=tuple(weight.name for place, weight in enumerate(weights) if place not in partner.values()),
        other_shape=tuple(other),
    )


def _narrowed(layers: Sequence[Wired], weights: Sequence[Weight]) -> bool:
    """Whether the suspect has the source's layers, one for one, but other numbers of channels."""
    ours, theirs = [layer.shape for layer in layers], [weight.shape for weight in weights]
    return sorted(ours) != sorted(theirs) and [_kind(shape) for shape in ours] == [_kind(shape) for shape in theirs]


def _kind(shape: tuple[int, ...]) -> tuple[int, ...]:
    """What removing channels leaves: axes and window."""
    return (len(shape), *shape[2:])


def _fits(layer: Wired, weight: Weight) -> bool:
    """Whether rows and columns can be matched: where their order is fixed, their number must be the same."""
    rows = layer.writes is not None or weight.rows == layer.rows
    inputs = weight.inputs == layer.shape[1] or (layer.reads is not None and weight.inputs % layer.run == 0)
    return rows and inputs and weight.window * layer.run == layer.kernel


def _by_name(
    partner: dict[int, int],
    layers: Sequence[Wired],
    weights: Sequence[Weight],
) -> None:
    names = {_bare(weight.name): place for place, weight in enumerate(weights)}
    for place, layer in enumerate(layers):
        other = names.get(_bare(layer.name))
        if place in partner or other is None or other in partner.values():
            continue
        if layer.shape == weights[other].shape:
            partner[place] = other


def _by_position(
    partner: dict[int, int],
    layers: Sequence[Wired],
    weights: Sequence[Weight],
) -> None:
    """The longest common runs of shapes among what is not paired yet, in order."""
    taken = set(partner.values())
    ours = [place for place in range(len(layers)) if place not in partner]
    theirs = [place for place in range(len(weights)) if place not in taken]
    blocks = SequenceMatcher(
        None, [layers[place].shape for place in ours], [weights[place].shape for place in theirs], False
    ).get_matching_blocks()
    for block in blocks:
        for step in range(block.size):
            partner[ours[block.a + step]] = theirs[block.b + step]


def _bare(name: str) -> str:
    """A name without what wrappers put before it.

    >>> _bare("module.body.fc.weight")
    'fc.weight'
    """
    for wrapper in _WRAPPERS:
        if name.startswith(wrapper):
            return _bare(name.removeprefix(wrapper))
    return name


def sizes_of(pairs: tuple[Pair, ...]) -> dict[int, tuple[int, int]]:
    """Channels of each group, of source and suspect, by the first weight that tells them."""
    sizes: dict[int, tuple[int, int]] = {}
    for pair in pairs:
        if pair.layer.writes is not None:
            sizes.setdefault(pair.layer.writes, (pair.layer.rows, pair.rows))
        if pair.layer.reads is not None:
            sizes.setdefault(pair.layer.reads, (pair.layer.columns, pair.columns))
    return sizes


def agreeing(pairs: tuple[Pair, ...]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """The pairs whose numbers of channels agree with those before them, and the others."""
    sizes = sizes_of(pairs)
    fits = [
        all(
            group is None or sizes[group][1] == own
            for group, own in ((pair.layer.writes, pair.rows), (pair.layer.reads, pair.columns))
        )
        for pair in pairs
    ]
    kept = tuple(pair for pair, fit in zip(pairs, fits, strict=True) if fit)
    return kept, tuple(pair for pair, fit in zip(pairs, fits, strict=True) if not fit)
