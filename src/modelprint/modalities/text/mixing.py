"""New texts from labelled ones: the head of one and the tail of another, and one with a typing error."""

from __future__ import annotations

import hashlib
from bisect import bisect
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
    known = texts_of(data.stored)
    cuts = [_cuts(text) for text in known]
    texts: list[str] = []
    mostly_head = np.zeros(count, dtype=bool)
    for number, (one, other) in enumerate(zip(heads.tolist(), tails.tolist(), strict=True)):
        head = known[one][: _nearest(cuts[one], shares[number] * len(known[one]))]
        tail = known[other][_nearest(cuts[other], shares[number] * len(known[other])) :]
        size = len(head.encode())
        tail = _within(tail, length - size)
        texts.append(head + tail)
        mostly_head[number] = size > len(tail.encode())
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


def _cuts(text: str) -> list[int]:
    """Where a text may be cut: where words begin, and at its ends; anywhere where it is one word."""
    starts = [place + 1 for place, one in enumerate(text) if one.isspace()]
    return [0, *starts, len(text)] if starts else list(range(len(text) + 1))


def _nearest(cuts: list[int], wanted: float) -> int:
    place = bisect(cuts, wanted)
    return min(cuts[max(0, place - 1) : place + 1], key=lambda cut: abs(cut - wanted))


def _within(text: str, most: int) -> str:
    """The longest beginning of a text that has at most so many bytes."""
    return text.encode()[: max(0, most)].decode("utf-8", errors="ignore")


def _drawn(size: int, count: int, generator: torch.Generator) -> np.ndarray:
    import torch

    numbers: np.ndarray = torch.randint(size, (count,), generator=generator).numpy()
    return numbers
