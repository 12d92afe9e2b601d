"""What the child does with a .skops file that a stranger made: types are looked at first, then it is loaded and asked.

Nothing but types of scikit-learn, NumPy and SciPy is loaded; skops itself builds them without unpickling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelprint.core.errors import ModelError
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.suspects.foreign.ends import end, short

TRUSTED = ("sklearn.", "numpy.", "scipy.")


def handler() -> Handler:
    """Answers messages about one file."""
    models: list[Any] = []

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "open":
            model, inputs, outputs = _loaded(arrays["file"].tobytes(), message["who"])
            models[:] = [model]
            return {"inputs": [inputs], "outputs": outputs}, {}
        (rows,) = arrays.values()
        return {}, {"output": _asked(models[0], rows, message["output"])}

    return answer


def _loaded(data: bytes, who: str) -> tuple[Any, dict[str, Any], list[dict[str, Any]]]:
    import skops.io

    try:
        types = skops.io.get_untrusted_types(data=data)
    except Exception as error:  # of whatever the file holds in place of a schema
        raise ModelError(f"{who} is no file of skops: {short(error)}") from error
    strange = [name for name in types if not name.startswith(TRUSTED)]
    if strange:
        raise ModelError(
            f"{who} holds the type {strange[0][:80]!a}, which is neither scikit-learn's nor NumPy's: it is not loaded; "
            "check the model as a Python callable, or at an http address"
        )
    try:
        model = skops.io.loads(data, trusted=types)
    except Exception as error:  # of another version of scikit-learn, or of a damaged file
        raise ModelError(f"{who} cannot be loaded: {short(error)}") from error
    classes = getattr(model, "classes_", None)
    features = getattr(model, "n_features_in_", None)
    if classes is None or (features is None and not _reads_texts(model)):
        raise ModelError(f"{who} holds a {type(model).__name__}, which is no fitted classifier of rows or texts")
    inputs = end("texts", "uint8", (None, None)) if features is None else end("rows", "float32", (None, int(features)))
    if hasattr(model, "predict_proba"):
        return model, inputs, [end("probabilities", "float32", (None, len(classes)))]
    return model, inputs, [end("labels", "int64", (None,))]


def _reads_texts(model: Any) -> bool:
    """Whether a pipeline begins with what makes numbers of strings: a vectoriser of n-grams or words."""
    steps = getattr(model, "steps", None) or [("", None)]
    return hasattr(steps[0][1], "build_analyzer")


def _asked(model: Any, rows: np.ndarray, output: str) -> np.ndarray:
    given = [row.tobytes().rstrip(b"\0").decode("utf-8") for row in rows] if rows.dtype.itemsize == 1 else rows
    try:
        if output == "probabilities":
            return np.asarray(model.predict_proba(given), dtype=np.float32)
        labels: np.ndarray = np.searchsorted(model.classes_, model.predict(given)).astype(np.int64)
        return labels
    except Exception as error:  # scikit-learn refuses rows in many ways
        raise ModelError(short(error)) from error
