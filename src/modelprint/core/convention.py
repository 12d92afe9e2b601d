"""One way in which inputs are prepared before a model sees them, and the options that say so."""

from __future__ import annotations

from dataclasses import dataclass

from modelprint.core.records import Record


class Convention(Record):
    """How points in [0, 1] become what a network takes; in the words of `ModelOptions`.

    Attributes:
        name: in messages.
        mean, std: on the scale of `value_range`; one value stands for all channels.
        value_range: what 0 and 1 become before they are normalised; it falls where light and dark are swapped.
        bgr: whether channels go in reverse order.
        size: (height, width) that inputs are resized to; None: as they are, or as the model's file says.
    """

    name: str
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    value_range: tuple[float, float] = (0.0, 1.0)
    bgr: bool = False
    size: tuple[int, int] | None = None

    @property
    def options(self) -> str:
        """What to give on the command line.

        >>> Convention(name="-1 to 1", mean=(0.5,), std=(0.5,)).options
        '--mean 0.5 --std 0.5 --range 0 1'
        >>> Convention(name="bytes, BGR", value_range=(0.0, 255.0), bgr=True).options
        '--mean 0 --std 1 --range 0 255 --bgr'
        """
        words = [f"--mean {_numbers(self.mean)} --std {_numbers(self.std)} --range {_numbers(self.value_range)}"]
        if self.bgr:
            words.append("--bgr")
        if self.size is not None:
            words.append(f"--size {_numbers(self.size)}")
        return " ".join(words)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What a user can say where a suspect was asked in the wrong form.

    Attributes:
        how: what says how inputs are prepared, in words: options, an entry of a file, code.
        classes: what says which class is which; empty where nothing does.
    """

    how: str
    classes: str = ""


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.7g}" for value in values)
