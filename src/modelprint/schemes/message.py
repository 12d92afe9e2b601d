"""A message that queries spell: what both forms of FIT-Print share.

S. Shao, H. Zhu, Y. Li, H. Yao, T. Zhang, Z. Qin, "FIT-Print: Towards False-claim-resistant Model Ownership Verification
via Targeted Fingerprint", 2025 (arXiv 2501.15509).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from modelprint.core.quantities import Quantity
from modelprint.nn.refs import ModelRef
from modelprint.perturb.evaluate import frozen
from modelprint.perturb.precision import Precision, in_precision
from modelprint.schemes.base import Enrollment

LIMITS = (
    "Copies by extraction and by adversarial training are fooled by other changes, and mostly missed.",
    "The message protects against claims only if it was fixed, and dated, before the queries were made.",
)
RIGHT_BITS = Quantity(
    key="right",
    title="bits of the message",
    total="bits",
    units=("bit", "bits"),
    sentence="Its answers spell {value} of the message of the fingerprint.",
    headline="Bits that are spelled",
)


def drawn_surrogates(context: Enrollment, most: int, generator: torch.Generator) -> list[ModelRef]:
    """Which surrogates take part beside the source: `most` of them, or all that there are."""
    numbers = torch.randperm(len(context.surrogates), generator=generator)[:most].tolist()
    return [context.surrogates[number] for number in numbers]


@contextmanager
def walked_on(context: Enrollment, surrogates: Sequence[ModelRef], precision: Precision) -> Iterator[list[nn.Module]]:
    """The source and some surrogates, in a precision, for as long as inputs are moved on them."""
    with ExitStack() as stack:
        opened = [context.source, *(stack.enter_context(context.opened(model)) for model in surrogates)]
        yield [
            stack.enter_context(frozen(in_precision(model, precision, shape=context.seeds.shape))) for model in opened
        ]


def wanted_bits(message: str, count: int, generator: torch.Generator) -> Int[np.ndarray, " n"]:
    """The bits that queries are to spell: the message's, or, of an empty message, drawn ones."""
    drawn = torch.randint(0, 2, (count,), generator=generator).numpy().astype(np.int64)
    return message_bits(message, count) if message else drawn


def spells(message: str, bit: Int[np.ndarray, " n"], number: Int[np.ndarray, " n"]) -> bool:
    """Whether the bits of a fingerprint are those of a message, at the places that they name.

    The second of two verifications (docs/schemes.md): the first asks whose model a suspect is, this one whose the
    fingerprint is. Whoever took n bits from somebody else spells his own message by them with a chance of 2^-n.

    >>> spells("mine", np.array([0, 1]), np.array([0, 4])), spells("yours", np.array([0, 1]), np.array([0, 4]))
    (True, False)
    """
    if not message or not len(bit) or number.min() < 0:
        return False
    return bool((message_bits(message, int(number.max()) + 1)[number] == bit).all())


def message_bits(message: str, count: int) -> Int[np.ndarray, " n"]:
    """The first bits of SHA-256(message, 0), SHA-256(message, 1) ..., of UTF-8 and a number of four bytes.

    >>> message_bits("mine", 8).tolist()
    [0, 1, 1, 1, 1, 0, 0, 0]
    """
    blocks = -(-count // 256)
    hashed = b"".join(hashlib.sha256(message.encode() + number.to_bytes(4, "big")).digest() for number in range(blocks))
    bits: Int[np.ndarray, " n"] = np.unpackbits(np.frombuffer(hashed, dtype=np.uint8))[:count].astype(np.int64)
    return bits
