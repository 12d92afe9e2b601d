"""Models of any maker, ready to be asked and differentiated: `load_model("resnet.pt", arch="resnet20", ...)`.

What a file does not say about itself comes from the caller, a spec file, or the data; where several speak, the caller
wins over the spec file, and that over the card which modelprint wrote into the file. Nothing in a file is run unless
the user named code, or said that the file is to be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from modelprint.core.devices import resolve_device
from modelprint.core.errors import ModelError
from modelprint.core.identity import digest, digest_arrays
from modelprint.nn.architectures import ARCHITECTURES
from modelprint.nn.assembly import complete_spec, from_code, normalised, registered, try_out
from modelprint.nn.description import Description, by_card, by_options, by_spec_file, layered
from modelprint.nn.files import ModelCard
from modelprint.nn.fitting import check_finite
from modelprint.nn.foreign import is_code, load_exported
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec
from modelprint.nn.spec_file import read_spec_file
from modelprint.nn.weight_files import CHECKPOINT_SUFFIXES, WeightFile, read_bytes, read_weights


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model from a file.

    Attributes:
        module: in evaluation mode, float32, on the device that was asked for; takes inputs in [0, 1], returns logits.
        identity: SHA-256 of the weights file.
        spec: architecture and normalisation; None for architectures that are not registered.
        card: what modelprint wrote into the file, as it stands there; None in other people's files.
        path: the file that was named; None for models that never were a file.
    """

    module: nn.Module
    identity: str
    spec: ModelSpec | None
    card: ModelCard | None
    path: Path | None


def load_model(
    reference: str | Path,
    *,
    arch: str | None = None,
    arch_args: Mapping[str, object] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    shape: tuple[int, int, int] | None = None,
    classes: int | None = None,
    trust_code: bool = False,
    device: str | torch.device = "cpu",
) -> LoadedModel:
    """The model in a file.

    Args:
        reference: `.safetensors`; `.pt`, `.pth` or `.th` (a state dict, read without unpickling code); `.pt2`; or a
            spec file `.toml` that names one of these.
        arch: a registered name, or `path/to/file.py:callable` or `package.module:callable`, which is then run.
        arch_args: keyword arguments of the architecture.
        mean, std: normalisation per channel on the [0, 1] scale; one value stands for all channels.
        shape: (channels, height, width) of the data. A file that does not say takes it from here, one that says
            otherwise is refused. None: whatever the file says.
        classes: of the data; likewise.
        trust_code: whether a file may bring code: `.pt2`, or an architecture that a file names by its code.
        device: where the model computes: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ModelError: the file is missing, refused or damaged, or does not fit; the message says what to do.
        DeviceError: there is no such device.
    """
    options = ModelOptions(
        arch=arch,
        arch_args=arch_args,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        trust_code=trust_code,
    )
    return open_model(reference, options, shape=shape, classes=classes, device=device)


def open_model(
    reference: str | Path,
    options: ModelOptions,
    *,
    shape: tuple[int, int, int] | None = None,
    classes: int | None = None,
    files_first: bool = False,
    device: str | torch.device = "cpu",
) -> LoadedModel:
    """The model in a file, as `load_model` reads it, with all that is said of it in one record.

    Args:
        options: what the caller says of the model.
        shape, classes: of the data.
        files_first: whether the options hold only for what the file does not say itself, as in a folder of models.
        device: where the model computes.

    Raises:
        ModelError: the file is missing, refused or damaged, or does not fit; the message says what to do.
        DeviceError: there is no such device.
    """
    place = resolve_device(device)
    path = weights = Path(reference)
    of_data = Description(
        who="the data",
        channels=None if shape is None else shape[0],
        size=None if shape is None else shape[2],
        classes=classes,
    )
    of_caller = by_options(options, who=str(path))
    of_files: list[Description] = []
    if path.suffix.lower() == ".toml":
        spec_file = read_spec_file(path)
        weights = Path(spec_file.weights)
        of_files.append(by_spec_file(spec_file, path, trust_code=options.trust_code))
    file = None if weights.suffix.lower() == ".pt2" else read_weights(weights)
    if file is not None and file.card is not None:
        of_files.append(by_card(file.card, weights, trust_code=options.trust_code))
    order = [*of_files, of_caller] if files_first else [of_caller, *of_files]
    said = layered(of_data, *order)
    if file is None:
        loaded = _exported(weights, said, path, trust_code=options.trust_code)
    else:
        loaded = _from_state(file, weights, said, path)
    check_finite(loaded.module, who=str(weights))
    if shape is not None and loaded.spec is not None and shape[1] != shape[2]:
        raise ModelError(
            f"{weights}: architecture {loaded.spec.arch} takes square images, the data are {shape}: crop them"
        )
    if shape is not None:
        try_out(loaded.module, shape, said.classes, who=str(weights))
    loaded.module.to(place)
    return loaded


def load_folder(
    path: str | Path,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    *,
    shape: tuple[int, int, int] | None = None,
    classes: int | None = None,
) -> list[LoadedModel]:
    """The models of a folder, sorted by name: every weights file, and every `.toml` with the weights that it names.

    Args:
        options: what holds for every file that does not say it itself.
        shape, classes: of the data, as of `load_model`.

    Raises:
        ModelError: no such folder, no models in it, a model that does not load, or a checkpoint whose architecture
            neither a spec file nor the options name.
    """
    files = model_files(path, arch_known=options.arch is not None)
    return [open_model(file, options, shape=shape, classes=classes, files_first=True) for file in files]


def model_files(path: str | Path, *, arch_known: bool = False) -> list[Path]:
    """The files of a folder that each name one model: spec files, and weights that no spec file names.

    Args:
        arch_known: whether checkpoints that do not say their architecture can be read all the same.

    Raises:
        ModelError: no such folder, none in it, or a checkpoint whose architecture no spec file tells.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: name a folder of .safetensors files, or of .toml spec files")
    specs = sorted(folder.glob("*.toml"))
    named = {Path(read_spec_file(spec).weights).resolve() for spec in specs}
    unnamed = [file for file in sorted(folder.iterdir()) if file.resolve() not in named]
    checkpoints = [file for file in unnamed if file.suffix.lower() in CHECKPOINT_SUFFIXES]
    if checkpoints and not arch_known:
        raise ModelError(
            f"{checkpoints[0]} does not say its architecture: give --arch, write "
            f"{checkpoints[0].with_suffix('.toml').name} beside it (weights, arch, mean, std), or move it elsewhere"
        )
    models = sorted([*specs, *checkpoints, *(file for file in unnamed if file.suffix.lower() == ".safetensors")])
    if not models:
        raise ModelError(f"{folder} holds no models: put .safetensors files, or .toml spec files, into it")
    return models


def weights_identity(module: nn.Module) -> str:
    """SHA-256 over the names and values of a network's state, for models that never were a file."""
    return digest_arrays({name: _as_array(tensor) for name, tensor in module.state_dict().items()})


def _as_array(tensor: Tensor) -> np.ndarray:
    plain = tensor.detach().cpu()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


def _exported(weights: Path, said: Description, path: Path, *, trust_code: bool) -> LoadedModel:
    data = read_bytes(weights)
    if not trust_code:
        raise ModelError(
            f"{weights}: the loader of .pt2 files can fall back to unpickling, which runs code: pass --trust-code "
            "if you trust its maker, or name a .safetensors file"
        )
    module = normalised(load_exported(data, weights), said, who=str(weights))
    return LoadedModel(module=module.eval(), identity=digest(data), spec=None, card=None, path=path)


def _from_state(file: WeightFile, weights: Path, said: Description, path: Path) -> LoadedModel:
    if said.arch is None:
        raise ModelError(
            f"{weights} does not say its architecture: give --arch, one of {', '.join(ARCHITECTURES)}, or "
            "path/to/file.py:callable, or write a spec file"
        )
    if is_code(said.arch.name):
        spec = None
        module = from_code(file.state, said, said.arch, who=str(weights))
    else:
        spec = complete_spec(said, said.arch, who=str(weights))
        module = registered(file.state, spec, who=str(weights))
    return LoadedModel(module=module.eval(), identity=file.identity, spec=spec, card=file.card, path=path)
