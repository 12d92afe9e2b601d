"""What the child does with a Keras file that a stranger made: check what it names, restore it, run it on torch.

Both forms are read: `.keras` (a zip archive with a configuration and weights) and HDF5 (`.h5`), of Keras 2 and 3.
Nothing of this runs outside.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelprint.core.errors import ModelError
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.core.untrusted import BombError, check_zip
from modelprint.suspects.foreign import keras_library as keras_library  # before keras
from modelprint.suspects.foreign.ends import end, short
from modelprint.suspects.foreign.keras_config import refuse_code

GROWTH = 16  # times its size that a file may unpack to
FLOOR = 64 * 2**20
LARGEST_CONFIG = 32 * 2**20
_BROKEN = (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RecursionError, RuntimeError)
_WEIGHTS = "model.weights.h5"


def handler() -> Handler:
    """Answers messages about one file."""
    models: list[Any] = []

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "open":
            torch.set_num_threads(message["threads"])
            model = _restored(arrays["file"].tobytes(), message["who"], Path(message["place"]))
            models[:] = [model]
            return {"inputs": _ends(model.inputs, "input"), "outputs": _ends(model.outputs, "output")}, {}
        (tensor,) = arrays.values()
        place = [entry["name"] for entry in _ends(models[0].outputs, "output")].index(message["output"])
        try:
            with torch.inference_mode():
                result = models[0](tensor, training=False)
        except Exception as error:  # a model may fail in any way on inputs that it was not made for
            raise ModelError(short(error)) from error
        results = list(result.values()) if isinstance(result, Mapping) else result
        chosen = results[place] if isinstance(results, list | tuple) else results
        return {}, {"output": np.array(chosen.cpu().numpy())}

    return answer


def _restored(data: bytes, who: str, place: Path) -> Any:
    """The model; without its optimiser and losses.

    Raises:
        ModelError: damaged, holding code, or a form that this Keras does not restore.
    """
    import keras

    zipped = data.startswith(b"PK")
    (_check_archive if zipped else _check_hdf5_model)(data, who)
    (file,) = place.glob("model.*")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # Keras raises nearly anything on a damaged file
        raise ModelError(
            f"{who} is not a Keras file that Keras {keras.__version__} restores: {short(error)}"
        ) from error
    if not getattr(model, "inputs", None):
        raise ModelError(f"{who} does not say what it takes: build the model on its input shape before it is saved")
    return model


def _check_archive(data: bytes, who: str) -> None:
    try:
        check_zip(io.BytesIO(data), growth=GROWTH)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            with archive.open("config.json") as stream:
                text = stream.read(LARGEST_CONFIG + 1)
            weights = archive.read(_WEIGHTS) if _WEIGHTS in archive.namelist() else None
        if len(text) > LARGEST_CONFIG:
            raise BombError(f"its config.json has more than {LARGEST_CONFIG:,} bytes")
        config = json.loads(text)
    except (*_BROKEN, BombError) as error:
        raise ModelError(f"{who} is not a whole Keras file, or is refused: {short(error)}") from error
    refuse_code(config, who=who)
    if weights is not None:
        _check_hdf5(weights, who)


def _check_hdf5_model(data: bytes, who: str) -> None:
    config = _check_hdf5(data, who)
    if config is None:
        raise ModelError(
            f"{who} holds weights without a model (no model_config): save the whole model, model.save('model.keras')"
        )
    try:
        parsed = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{who} has a configuration that is no JSON ({short(error)}): copy it again") from error
    refuse_code(parsed, who=who)


def _check_hdf5(data: bytes, who: str) -> str | None:
    """Refuse files whose parts lie elsewhere, or that claim far more than they hold; the model's configuration, if any.

    Raises:
        ModelError: no HDF5 file, or refused.
    """
    import h5py

    claimed = 0
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            for name, part in _parts(file, who):
                claimed += part.size * part.dtype.itemsize
                if part.external or part.is_virtual or part.dtype.hasobject:
                    raise ModelError(f"{who} keeps {name!a} in another file, or as objects: refused")
            config = file.attrs.get("model_config")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{who} is not a whole HDF5 file: {short(error)}") from error
    if claimed > max(FLOOR, GROWTH * len(data)):
        raise ModelError(f"{who} claims {claimed:,} bytes of weights but has {len(data):,} bytes: refused")
    return config.decode("utf-8", "replace") if isinstance(config, bytes) else config


def _parts(group: Any, who: str) -> Iterator[tuple[str, Any]]:
    """Every data set below a group; links are not followed."""
    import h5py

    waiting, steps = [("", group)], 0
    while waiting:
        prefix, inner = waiting.pop()
        for name in inner:
            steps += 1
            if steps > 100_000:
                raise ModelError(f"{who} has more than 100,000 parts: refused")
            path = f"{prefix}{name}"
            link = inner.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ModelError(f"{who} has a link at {path!a} that leads elsewhere: refused")
            part = inner[name]
            if isinstance(part, h5py.Group):
                waiting.append((f"{path}/", part))
            elif isinstance(part, h5py.Dataset):
                yield path, part


def _ends(tensors: Any, role: str) -> list[dict[str, Any]]:
    return [
        end(str(getattr(tensor, "name", None) or f"{role} {number}"), str(tensor.dtype), tuple(tensor.shape))
        for number, tensor in enumerate(tensors)
    ]
