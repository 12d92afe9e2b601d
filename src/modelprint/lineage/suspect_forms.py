"""A suspect's weights, read and balanced once, however many sources they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from modelprint.lineage.forms import Form, balanced, by_channel, largest
from modelprint.lineage.pairing import Pair, Pairing, agreeing, paired
from modelprint.lineage.result import LeftOut
from modelprint.lineage.scratch import NUMBERS, Scratch
from modelprint.lineage.tensors import Tensors
from modelprint.lineage.weights import UnreadableError, Weight, read_form
from modelprint.lineage.wiring import Wired

KEPT = 2**27  # numbers of a suspect that stay in memory, balanced, in single precision


@dataclass(frozen=True, kw_only=True)
class Comparable:
    """What of a suspect stands beside a source's weights.

    Attributes:
        pairs: that can be compared, in the source's order.
        left_out: weights of the source that cannot, with the reason.
        extra: weights of the suspect without a counterpart.
    """

    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]
    extra: tuple[str, ...]


class SuspectForms:
    """A suspect's weights. The first ones stay in memory, half a gibibyte; pairs are kept for each wiring of sources.

    Attributes:
        scratch: for forms in another order of channels.
    """

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.scratch = Scratch()
        self._kept: dict[tuple[Weight, int], Form] = {}
        self._numbers = 0
        self._channels: dict[tuple[Weight, int, int], Tensor] = {}
        self._full: dict[tuple[Weight, int], bool] = {}
        self._comparable: dict[tuple[Wired, ...], Comparable] = {}

    def plain(self, pair: Pair) -> Form:
        """A form in its own scales and order.

        Raises:
            UnreadableError: it cannot be compared.
        """
        return read_form(self.tensors, pair.weight, run=pair.layer.run)

    def balanced(self, pair: Pair) -> Form:
        """A form, balanced, in its own order.

        Raises:
            UnreadableError: it cannot be compared.
        """
        key = (pair.weight, pair.layer.run)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        form = balanced(self.plain(pair)).form
        if self._numbers + form.numel() <= KEPT:
            self._kept[key] = form
            self._numbers += form.numel()
        return form

    def channels(self, pair: Pair, axis: Literal[0, 1]) -> Float[Tensor, "channels n"]:
        """One row for each output (axis 0) or input channel, of all its numbers, balanced, in its own order."""
        key = (pair.weight, pair.layer.run, axis)
        kept = self._channels.get(key)
        if kept is None:
            kept = by_channel(self.balanced(pair), axis)
            if kept.numel() <= NUMBERS:
                self._channels[key] = kept
        return kept

    def is_full(self, pair: Pair) -> bool:
        """Whether no row and no column of a form is all zero."""
        key = (pair.weight, pair.layer.run)
        if key not in self._full:
            self._full[key] = all(bool((largest(self.balanced(pair), axis=axis) > 0).all()) for axis in (0, 1))
        return self._full[key]

    def comparable(self, layers: tuple[Wired, ...]) -> Comparable:
        """What stands beside a source of these layers."""
        if layers not in self._comparable:
            self._comparable[layers] = _comparable(self, paired(layers, self.tensors))
        return self._comparable[layers]


def forms_of(suspect: Tensors | SuspectForms) -> SuspectForms:
    """The forms of a suspect; its own, where they are read already."""
    return suspect if isinstance(suspect, SuspectForms) else SuspectForms(suspect)


def _comparable(suspect: SuspectForms, pairing: Pairing) -> Comparable:
    left_out = [LeftOut(name=name, why="the suspect has no such weight") for name in pairing.missing]
    left_out += [
        LeftOut(name=layer.name, why=f"shape {weight.shape} in the suspect, {layer.shape} in the source")
        for layer, weight in pairing.other_shape
    ]
    pairs, misfits = agreeing(pairing.pairs)
    left_out += [
        LeftOut(name=pair.layer.name, why=f"its channels, {pair.weight.shape}, do not fit those of other weights")
        for pair in misfits
    ]
    readable = []
    for pair in pairs:
        try:
            suspect.balanced(pair)
            readable.append(pair)
        except UnreadableError as error:
            left_out.append(LeftOut(name=pair.layer.name, why=str(error)))
    return Comparable(pairs=tuple(readable), left_out=tuple(left_out), extra=pairing.extra)
