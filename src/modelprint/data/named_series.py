"""The named sets of series: control-charts, which are drawn here, and spoken-digits, found on disk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from modelprint.core.errors import DataError
from modelprint.data.arrays import read_own_npz
from modelprint.data.named import DATA_VARIABLE, RawSet, search_folders
from modelprint.modalities.series.modality import Series
from modelprint.modalities.series.storage import STORED, rounded_series, scale_for, spread_of

CHARTS = ("normal", "cyclic", "increasing", "decreasing", "upward shift", "downward shift")
LENGTH, OF_EACH, SEED = 60, 400, 1999
DIGITS_FILE = "spoken-digits.npz"


def load_control_charts() -> RawSet:
    """Synthetic control charts: 2,400 series of 60 values in 6 classes, always the same.

    R. J. Alcock, Y. Manolopoulos, "Time-Series Similarity Queries Employing a Feature-Based Approach", HCI 1999, whose
    formulas and ranges these are, but for the mean, 0 here and 30 there, and the noise, twice as much here, so that
    classes overlap.
    """
    random = np.random.RandomState(SEED)
    values = np.concatenate([_charts(chart, random) for chart in CHARTS])
    order = random.permutation(len(values))
    full_scale = scale_for(values)
    stored = rounded_series(values[order][:, None], full_scale)
    labels = np.repeat(np.arange(len(CHARTS)), OF_EACH)[order]
    return _raw(stored, labels, CHARTS, Series(full_scale=full_scale, spread=spread_of(stored, full_scale)))


def load_spoken_digits() -> RawSet:
    """Ten words in the voices of espeak-ng and flite: 9,280 clips of half a second at 4,000 Hz.

    Raises:
        DataError: they are not there; the message says how to make them.
    """
    path = next((place / DIGITS_FILE for place in search_folders() if (place / DIGITS_FILE).exists()), None)
    if path is None:
        raise DataError(
            f"spoken-digits: no {DIGITS_FILE} under ${DATA_VARIABLE} or {search_folders()[-1]}: make it there with "
            "python -m research.datasets.spoken_digits --out, from the source repository"
        )
    arrays = read_own_npz(path)
    stored, labels = arrays["x_train"], arrays["y_train"].astype(np.int64)
    modality = Series(rate=float(arrays["rate"]), spread=spread_of(stored, 1.0))
    return _raw(stored, labels, tuple(map(str, arrays["class_names"])), modality)


def _charts(chart: str, random: np.random.RandomState) -> Float[np.ndarray, "n length"]:
    """Charts of one kind: noise, and what makes the kind."""
    time = np.arange(LENGTH)[None]

    def uniform(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, (OF_EACH, 1))

    values: np.ndarray = 2 * 2 * random.uniform(-3, 3, (OF_EACH, LENGTH))
    sign = 1 if chart in ("increasing", "upward shift") else -1
    if chart == "cyclic":
        values += uniform(10, 15) * np.sin(2 * np.pi * time / uniform(10, 15))
    elif chart in ("increasing", "decreasing"):
        values += sign * uniform(0.2, 0.5) * time
    elif chart != "normal":
        values += sign * uniform(7.5, 20) * (time >= uniform(LENGTH / 3, 2 * LENGTH / 3))
    return values


def _raw(stored: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...], modality: Series) -> RawSet:
    assert stored.dtype == STORED
    return RawSet(
        train_images=stored,
        train_labels=labels,
        test_images=stored[:0],
        test_labels=labels[:0],
        class_names=class_names,
        modality=modality,
    )
