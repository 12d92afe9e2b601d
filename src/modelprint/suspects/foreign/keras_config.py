"""What a Keras file may name: classes of Keras itself that compute. Checked before Keras makes any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelprint.core.errors import ModelError

_CODE = {  # classes of Keras that bring code, or read other files
    "Lambda": "code of its maker",
    "__lambda__": "code of its maker",
    "TFSMLayer": "a SavedModel elsewhere",
    "TorchModuleWrapper": "a pickled network of torch",
    "JaxLayer": "code of its maker",
    "FlaxLayer": "code of its maker",
    "StringLookup": "a vocabulary in a file",
    "IntegerLookup": "a vocabulary in a file",
    "TextVectorization": "a vocabulary in a file",
}
_REFUSED = "refused, nothing was run; ask for an ONNX or TFLite export of the model"
_ROOMS = (
    "layers", "initializers", "regularizers", "constraints", "activations", "dtype_policies", "quantizers", "models",
    "ops", "random", "applications", "engine", "backend.common",
)  # fmt: skip
_NOT_MADE = ("compile_config", "training_config")  # of optimisers and losses, which are not restored


def refuse_code(config: Any, *, who: str) -> None:
    """Check every class that a model's configuration names.

    >>> refuse_code({"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}, who="m.keras")
    >>> refuse_code({"class_name": "Lambda", "config": {}}, who="m.keras")
    Traceback (most recent call last):
    modelprint.core.errors.ModelError: m.keras holds a Lambda layer, which is code of its maker: refused, nothing ...

    Raises:
        ModelError: one that is code, that reads other files, or that is not of Keras.
    """
    for entry in _entries(config):
        name, module = entry["class_name"], entry.get("module")
        if name in _CODE:
            raise ModelError(f"{who} holds a {name.strip('_')} layer, which is {_CODE[name]}: {_REFUSED}")
        known = isinstance(name, str) and name.replace("_", "a").isalnum() and _of_keras(module)
        if not known or ">" in str(entry.get("registered_name")):
            of = f" of {str(module)[:60]!a}" if module else ""
            raise ModelError(
                f"{who} holds {str(name)[:60]!a}{of}, a class of its maker's own, whose code the file does not bring: "
                + _REFUSED
            )


def _of_keras(module: object) -> bool:
    """Whether a class lies where Keras keeps what computes; files of Keras 2 name no module."""
    if module is None or module == "keras":
        return True
    places = [f"{root}.{room}" for root in ("keras", "keras.src", "tf_keras", "tf_keras.src") for room in _ROOMS]
    return isinstance(module, str) and any(module == place or module.startswith(f"{place}.") for place in places)


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a configuration that names a class."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            waiting += [value for name, value in part.items() if name not in _NOT_MADE]
        elif isinstance(part, list):
            waiting += part
