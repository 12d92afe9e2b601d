"""New texts from labelled ones: the head of one and the tail of another, and one with a typing error."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from modelprint.modalities.base import Labelled
from modelprint.modalities.text.storage import stored_texts, texts_of
from modelprint.modalities.text.swaps import swaps_at

if TYPE_CHECKING:
    import torch


def spliced(data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
    """Texts that begin as one and end as another of another class, cut between words; the share is uniform.

    The class is that of the text that gave more bytes.

    Raises:
        ValueError: all texts are of one class.
    """
    import torch

    if len(np.unique(data.labels)) < 2:
        raise ValueError("expected texts of two classes or more")
    heads = _drawn(len(data), count, generator)
    tails = _drawn(len(data), count, generator)
    while len(same := np.flatnonzero(data.labels[heads] == data.labels[tails])):
        tails[same] = _drawn(len(data), len(same), generator)
    shares = torch.rand(count, generator=generator).numpy()
    length = data.stored.shape[1]
    texts: list[str] = []
    mostly_head = np.zeros(count, dtype=bool)
    for number, (one, other) in enumerate(zip(_texts(data, heads), _texts(data, tails), strict=True)):
        head, tail = one[: _cut(one, shares[number])], other[_cut(other, shares[number]) :]
        tail = _within(tail, length - len(head.encode()))
        texts.append(head + tail)
        mostly_head[number] = len(head.encode()) > len(tail.encode())
    return Labelled(
        stored=stored_texts(texts, length), labels=np.where(mostly_head, data.labels[heads], data.labels[tails])
    )


def mistyped(data: Labelled) -> Labelled:
    """Each text with one typing error, at a place that its own hash chooses; texts without letters are left out."""
    length = data.stored.shape[1]
    texts: list[str] = []
    kept: list[int] = []
    for number, text in enumerate(texts_of(data.stored)):
        places = [place for place, letter in enumerate(text) if letter.isalpha()]
        if not places:
            continue
        draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        options = swaps_at(text, places[draw % len(places)])
        changed = options[draw // len(places) % len(options)].applied(text)
        if len(changed.encode()) <= length:
            texts.append(changed)
            kept.append(number)
    return Labelled(stored=stored_texts(texts, length), labels=data.labels[kept])


def _texts(data: Labelled, index: np.ndarray) -> list[str]:
    return texts_of(data.stored[index])


def _cut(text: str, share: float) -> int:
    """The place nearest to a share of a text where a word begins; the place itself where the text is one word."""
    wanted = round(share * len(text))
    starts = [0, *(place + 1 for place, one in enumerate(text) if one.isspace()), len(text)]
    return min(starts, key=lambda place: abs(place - wanted)) if len(starts) > 2 else wanted


def _within(text: str, most: int) -> str:
    """The longest beginning of a text that has at most so many bytes."""
    return text.encode()[: max(0, most)].decode("utf-8", errors="ignore")


def _drawn(size: int, count: int, generator: torch.Generator) -> np.ndarray:
    import torch

    numbers: np.ndarray = torch.randint(size, (count,), generator=generator).numpy()
    return numbers
