"""A source's weights as comparisons read them: in single precision, and laid out by channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from jaxtyping import Float
from torch import Tensor

from modelprint.lineage.forms import Form, by_channel, dot
from modelprint.lineage.wiring import Wired

if TYPE_CHECKING:
    from modelprint.lineage.reference import LineageReference

KEPT = 2**22  # numbers that stay in memory


class SourceForms:
    """The weights of a reference. The first ones stay in memory, 16 mebibytes: of a small source all."""

    def __init__(self, reference: LineageReference) -> None:
        self._reference = reference
        self._kept: dict[tuple[str, Literal["form", "own", 0, 1]], Tensor] = {}
        self._sizes: dict[str, float] = {}
        self._numbers = 0

    def stored(self, layer: Wired) -> Form:
        """A form, balanced, as it is at hand: in half or in single precision."""
        kept = self._kept.get((layer.name, "form"))
        return self._reference.stored(layer) if kept is None else kept

    def form(self, layer: Wired) -> Form:
        """A form, balanced, in single precision."""
        return self._held((layer.name, "form"), lambda: self._reference.form(layer))

    def own(self, layer: Wired) -> Form:
        """The part of it that no shared model explains; the whole, where none is shared."""
        return self._held((layer.name, "own"), lambda: self._reference.own(layer))

    def size(self, layer: Wired) -> float:
        """The length of a form."""
        if layer.name not in self._sizes:
            form = self.form(layer)
            self._sizes[layer.name] = dot(form, form) ** 0.5
        return self._sizes[layer.name]

    def channels(self, layer: Wired, axis: Literal[0, 1]) -> Float[Tensor, "channels n"]:
        """One row for each output (axis 0) or input channel, times what the weight counts for in a likeness."""
        return self._held(
            (layer.name, axis), lambda: by_channel(self.form(layer), axis) * (layer.numel**0.5 / layer.numel)
        )

    def _held(self, key: tuple[str, Literal["form", "own", 0, 1]], read: Callable[[], Tensor]) -> Tensor:
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        tensor = read()
        if self._numbers + tensor.numel() <= KEPT:
            self._kept[key] = tensor
            self._numbers += tensor.numel()
        return tensor
