"""Which weights share which channels: what one layer writes, a later one reads.

Derived from shapes in the order of use, and from the names that libraries give shortcuts. It is right for chains, and
for residual nets as far as matching needs: the streams that a sum ties are taken for separate ones, each of which is
matched by itself. A weight whose inputs no earlier layer gives (concatenated maps, attention) reads channels that are
not aligned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelprint.core.records import Record
from modelprint.lineage.weights import Weight

_SHORTCUT = re.compile(r"(.*?)(?:downsample|shortcut|skip)\b")  # torchvision and timm, transformers, others


class Wired(Record):
    """A weight of the source and its place in the net.

    Attributes:
        rows, columns, kernel: of its form.
        run: inputs for each column, see `forms.form_of`.
        reads, writes: the numbers of the channel groups at its inputs and outputs; None where their order is fixed, as
            that of images and classes is, or not understood.
        last: whether it gives the classes.
    """

    name: str
    shape: tuple[int, ...]
    rows: int
    columns: int
    kernel: int
    run: int
    reads: int | None
    writes: int | None
    last: bool

    @property
    def numel(self) -> int:
        """How many numbers it holds."""
        return self.rows * self.columns * self.kernel


def wired(weights: Sequence[Weight]) -> tuple[Wired, ...]:
    """The weights, with the groups of channels that they read and write.

    >>> conv = Weight(name="a", shape=(8, 1, 3, 3), layout="torch")
    >>> head = Weight(name="b", shape=(10, 32), layout="torch")
    >>> [(layer.reads, layer.writes, layer.columns, layer.kernel) for layer in wired([conv, head])]
    [(None, 0, 1, 9), (0, None, 8, 4)]
    """
    sizes: list[int] = []  # of each group
    layers: list[Wired] = []
    for place, weight in enumerate(weights):
        last = place == len(weights) - 1
        latest = len(sizes) - 1
        depthwise = bool(sizes) and weight.inputs == 1 and weight.window > 1 and sizes[latest] == weight.rows
        reads, run = (None, 1) if depthwise else _read(sizes, weight)
        if (start := _start_of_block(layers, weight)) is not None:
            reads, run = start.reads, start.run
        writes: int | None = latest if depthwise else None
        if not depthwise and not last:
            writes = len(sizes)
            sizes.append(weight.rows)
        layers.append(
            Wired(
                name=weight.name,
                shape=weight.shape,
                rows=weight.rows,
                columns=weight.inputs // run,
                kernel=weight.window * run,
                run=run,
                reads=reads,
                writes=writes,
                last=last,
            )
        )
    return tuple(layers)


def _start_of_block(layers: Sequence[Wired], shortcut: Weight) -> Wired | None:
    """Of a shortcut, the first weight of its block, which reads the same channels; None of any other weight.

    >>> _SHORTCUT.match("layer1.0.downsample.0.weight")[1]
    'layer1.0.'
    """
    name = _SHORTCUT.match(shortcut.name)
    if name is None:
        return None
    start = next((layer for layer in layers if layer.name.startswith(name[1])), None)
    return start if start is not None and start.shape[1] == shortcut.inputs else None


def _read(sizes: list[int], weight: Weight) -> tuple[int | None, int]:
    """The latest group of just as many channels, else the latest that a flattened map may have."""
    for group in reversed(range(len(sizes))):
        if sizes[group] == weight.inputs:
            return group, 1
    if weight.window == 1 and sizes and weight.inputs % sizes[-1] == 0:
        return len(sizes) - 1, weight.inputs // sizes[-1]
    return None, 1
