"""How unusual sequences of tokens are beside others: bits a token, by counts of three in a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

_TOKENS = 256
ADDED = 0.1  # to each count of a token after two others (Lidstone's smoothing)


@dataclass(frozen=True, kw_only=True)
class Trigrams:
    """Counts of three tokens in a row; 0 is behind the end of a sequence, and counts for none.

    Attributes:
        codes, counts: of each three that occurs, as one number, sorted; how often.
        pair_codes, pair_counts: likewise of the two before a token.
        used: different tokens that occur.
    """

    codes: Int[np.ndarray, " c"]
    counts: Int[np.ndarray, " c"]
    pair_codes: Int[np.ndarray, " p"]
    pair_counts: Int[np.ndarray, " p"]
    used: int

    @classmethod
    def of(cls, sequences: UInt8[np.ndarray, "n length"]) -> Trigrams:
        """The counts of some sequences."""
        threes = _threes(sequences)
        codes, counts = np.unique(threes[threes % _TOKENS > 0], return_counts=True)
        pairs, inverse = np.unique(codes // _TOKENS, return_inverse=True)
        return cls(
            codes=codes,
            counts=counts,
            pair_codes=pairs,
            pair_counts=np.bincount(inverse, weights=counts).astype(np.int64),
            used=len(np.unique(codes % _TOKENS)),
        )

    def bits(self, sequences: UInt8[np.ndarray, "n length"]) -> Float[np.ndarray, " n"]:
        """Mean surprise of each sequence, -log2 of its tokens' shares after the two before, at least 0.

        >>> usual = Trigrams.of(np.frombuffer(b"abababab", np.uint8)[None])
        >>> bits = usual.bits(np.stack([np.frombuffer(text, np.uint8) for text in (b"abab", b"abba")]))
        >>> bool(bits[0] < bits[1])
        True
        """
        threes = _threes(sequences)
        counted = threes % _TOKENS > 0
        seen = _looked_up(threes, self.codes, self.counts)
        before = _looked_up(threes // _TOKENS, self.pair_codes, self.pair_counts)
        bits = -np.log2((seen + ADDED) / (before + ADDED * max(1, self.used)))
        mean: np.ndarray = np.where(counted, bits, 0.0).sum(1) / np.maximum(1, counted.sum(1))
        return mean


def _threes(sequences: np.ndarray) -> Int[np.ndarray, "n length"]:
    """Each token with the two before it, as one number; before the beginning there are zeros."""
    wide = np.pad(sequences.astype(np.int64), ((0, 0), (2, 0)))
    numbers: np.ndarray = (wide[:, :-2] * _TOKENS + wide[:, 1:-1]) * _TOKENS + wide[:, 2:]
    return numbers


def _looked_up(keys: np.ndarray, codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    places = np.minimum(np.searchsorted(codes, keys), len(codes) - 1)
    return np.where(codes[places] == keys, counts[places], 0)
