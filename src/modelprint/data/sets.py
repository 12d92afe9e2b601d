"""The named sets of every modality, by the names that DATA arguments have."""

from __future__ import annotations

from collections.abc import Callable

from modelprint.data.named import RawSet, load_cifar10, load_digits, load_fashion
from modelprint.data.named_series import load_control_charts, load_spoken_digits
from modelprint.data.named_texts import load_made_up_languages, load_manual_pages
from modelprint.data.named_vectors import VECTOR_SETS

NAMED_SETS: dict[str, Callable[[], RawSet]] = {
    "digits": load_digits,
    "fashion-mnist": load_fashion,
    "cifar10": load_cifar10,
    "control-charts": load_control_charts,
    "spoken-digits": load_spoken_digits,
    "made-up-languages": load_made_up_languages,
    "manual-pages": load_manual_pages,
    **VECTOR_SETS,
}
