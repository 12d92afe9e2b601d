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
from modelprint.nn.description import ArchName, Description, by_card, by_spec_file, normalisation
from modelprint.nn.files import ModelCard
from modelprint.nn.fitting import check_finite
from modelprint.nn.foreign import is_code, load_exported
from modelprint.nn.spec import ModelSpec
from modelprint.nn.spec_file import read_spec_file
from modelprint.nn.weight_files import CHECKPOINT_SUFFIXES, read_bytes, read_weights


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
    place = resolve_device(device)
    path = weights = Path(reference)
    said = Description(
        who="the data",
        arch=None if arch is None else ArchName(name=arch, trusted=True),
        arch_args=arch_args,
        normalisation=normalisation(mean, std, who=str(path)),
        channels=None if shape is None else shape[0],
        size=None if shape is None else shape[2],
        classes=classes,
    )
    if path.suffix.lower() == ".toml":
        spec_file = read_spec_file(path)
        weights = Path(spec_file.weights)
        said = said.over(by_spec_file(spec_file, path, trust_code=trust_code))
    if weights.suffix.lower() == ".pt2":
        loaded = _exported(weights, said, path, trust_code=trust_code)
    else:
        loaded = _from_state(weights, said, path, trust_code=trust_code)
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
    *,
    shape: tuple[int, int, int] | None = None,
    classes: int | None = None,
    trust_code: bool = False,
) -> list[LoadedModel]:
    """The models of a folder, sorted by name: every `.safetensors`, and every `.toml` with the weights that it names.

    Args:
        shape, classes, trust_code: as of `load_model`.

    Raises:
        ModelError: no such folder, no models in it, a model that does not load, or a checkpoint without a spec file.
    """
    return [load_model(file, shape=shape, classes=classes, trust_code=trust_code) for file in model_files(path)]


def model_files(path: str | Path) -> list[Path]:
    """The files of a folder that each name one model: spec files, and `.safetensors` that no spec file names.

    Raises:
        ModelError: no such folder, none in it, or a checkpoint whose architecture no spec file tells.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: name a folder of .safetensors files, or of .toml spec files")
    specs = sorted(folder.glob("*.toml"))
    named = {Path(read_spec_file(spec).weights).resolve() for spec in specs}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in CHECKPOINT_SUFFIXES and file.resolve() not in named:
            raise ModelError(
                f"{file} does not say its architecture: write {file.with_suffix('.toml').name} beside it "
                "(weights, arch, mean, std), or move it elsewhere"
            )
    found = sorted([*specs, *(file for file in folder.glob("*.safetensors") if file.resolve() not in named)])
    if not found:
        raise ModelError(f"{folder} holds no models: put .safetensors files, or .toml spec files, into it")
    return found


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


def _from_state(weights: Path, said: Description, path: Path, *, trust_code: bool) -> LoadedModel:
    file = read_weights(weights)
    if file.card is not None:
        said = said.over(by_card(file.card, weights, trust_code=trust_code))
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
