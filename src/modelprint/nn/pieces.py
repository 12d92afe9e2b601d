"""A tokenizer whose vocabulary is learned from texts and kept with the weights: frequent stretches of up to four bytes.

It is a simple relative of byte-pair encoding (R. Sennrich, B. Haddow, A. Birch, "Neural Machine Translation of Rare
Words with Subword Units", ACL 2016): stretches are chosen by how many bytes they save, and texts are cut from left to
right into the longest stretches that the vocabulary holds.
"""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Int
from torch import Tensor, nn

BYTES = 256  # numbers of single bytes; 0 stands behind the end
LONGEST = 4  # bytes of a piece
NO_PIECE = 0


class Pieces(nn.Module):
    """From bytes of UTF-8 to numbers of pieces.

    Args:
        count: how many pieces of two bytes and more the vocabulary holds, at most.
    """

    codes: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.zeros(count, dtype=torch.int64))

    @property
    def known(self) -> bool:
        """Whether a vocabulary was learned."""
        return bool((self.codes != NO_PIECE).any())

    @property
    def identity(self) -> str:
        """SHA-256 of the vocabulary."""
        return "sha256:" + hashlib.sha256(self.codes.cpu().numpy().astype("<i8").tobytes()).hexdigest()

    def learn(self, stored: Int[Tensor, "n length"]) -> None:
        """Choose the vocabulary, the stretches that save most bytes in some texts; a known one stays."""
        if self.known or not len(self.codes):
            return
        codes = _codes(stored.to(torch.int64))
        saved: list[tuple[int, int]] = []
        for size in range(2, LONGEST + 1):
            values, counts = torch.unique(codes[size], return_counts=True)
            whole = values != NO_PIECE
            saved += zip((counts[whole] * (size - 1)).tolist(), values[whole].tolist(), strict=True)
        best = sorted(saved, key=lambda one: (-one[0], one[1]))[: len(self.codes)]
        chosen = torch.zeros_like(self.codes)
        chosen[: len(best)] = torch.tensor([code for _, code in best], dtype=torch.int64, device=chosen.device)
        self.codes.copy_(chosen.sort().values)

    def forward(self, stored: Int[Tensor, "n length"]) -> Int[Tensor, "n length"]:
        """Numbers of pieces, from the left, with zeros behind the end."""
        stored = stored.to(torch.int64)
        codes = _codes(stored)
        numbers, sizes = stored.clone(), torch.ones_like(stored)
        for size in range(2, LONGEST + 1):
            places = torch.searchsorted(self.codes, codes[size]).clamp_(max=len(self.codes) - 1)
            held = (self.codes[places] == codes[size]) & (codes[size] != NO_PIECE)
            numbers = torch.where(held, BYTES + places, numbers)
            sizes = torch.where(held, size, sizes)
        starts = torch.zeros_like(stored, dtype=torch.bool)
        following = torch.zeros_like(stored[:, 0])
        for place in range(stored.shape[1]):
            here = (following == place) & (stored[:, place] != 0)
            starts[:, place] = here
            following = torch.where(here, place + sizes[:, place], following)
        left = torch.argsort((~starts).to(torch.int64), dim=1, stable=True)
        return torch.where(starts, numbers, 0).gather(1, left)


def _codes(stored: Int[Tensor, "n length"]) -> dict[int, Int[Tensor, "n length"]]:
    """For each size, the stretch that begins at each place as one number; 0 where the text ends before."""
    codes: dict[int, Tensor] = {}
    shifted = [nn.functional.pad(stored[:, by:], (0, by)) for by in range(LONGEST)]
    for size in range(2, LONGEST + 1):
        code = torch.zeros_like(stored)
        whole = torch.ones_like(stored, dtype=torch.bool)
        for by in range(LONGEST):
            code = code * BYTES + (shifted[by] if by < size else 0)
            if by < size:
                whole &= shifted[by] != 0
        codes[size] = torch.where(whole, code, NO_PIECE)
    return codes


def learn_vocabularies(model: nn.Module, stored: Tensor) -> None:
    """Let every tokenizer in a network that has no vocabulary yet choose one."""
    for part in model.modules():
        if isinstance(part, Pieces):
            part.learn(stored)


def vocabulary_of(model: nn.Module) -> Pieces | None:
    """The tokenizer of a network; None where it reads bytes, or has none of these."""
    return next((part for part in model.modules() if isinstance(part, Pieces)), None)
