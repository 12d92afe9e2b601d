"""Models of any maker, ready to be asked and differentiated: `load_model("resnet.pt", arch="resnet20", ...)`.

What a file does not say about itself comes from the caller, a spec file, or the data; where several speak, the caller
wins over the spec file, and that over the card which modelprint wrote into the file. Nothing in a file is run unless
the user named code, or said that the file is to be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from modelprint.core.devices import device_of, resolve_device
from modelprint.core.errors import ModelError
from modelprint.core.identity import digest, digest_arrays
from modelprint.modalities.base import InputSpec
from modelprint.nn.architectures import Normalized
from modelprint.nn.assembly import assembled, preprocessed
from modelprint.nn.checkpoints import SAVE_AGAIN
from modelprint.nn.configs import by_config_files
from modelprint.nn.description import OF_DATA, Description, by_card, by_options, by_spec_file, layered
from modelprint.nn.exported import load_exported, load_script
from modelprint.nn.files import ModelCard
from modelprint.nn.fitting import check_finite
from modelprint.nn.kinds import PROGRAMS, kind_of, kind_of_data
from modelprint.nn.options import EMA, ModelOptions
from modelprint.nn.places import model_files, path_of, weights_of
from modelprint.nn.spec import ModelSpec
from modelprint.nn.spec_file import read_spec_file
from modelprint.nn.trial import try_out, two_of
from modelprint.nn.vocabularies import check_vocabulary
from modelprint.nn.weight_files import WeightFile, read_bytes, read_weights


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model from a file.

    Attributes:
        module: in evaluation mode, float32, on the device that was asked for; takes inputs in [0, 1], returns logits.
        identity: SHA-256 of the weights file.
        spec: architecture, inputs and preprocessing, enough to build it untrained; None for exported programs, for
            modules that lie in memory, and where nobody says what the model takes.
        card: what modelprint wrote into the file, as it stands there; None in other people's files.
        path: the file that was named; None for models that never were a file.
        class_names: in the order of the outputs, where its files name them.
        notes: what a user should know of how it was read, or of its answers.
    """

    module: nn.Module
    identity: str
    spec: ModelSpec | None
    card: ModelCard | None
    path: Path | None
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @contextmanager
    def opened(self, device: torch.device | None = None) -> Iterator[nn.Module]:
        """The model itself, on a device: what lies in memory is a `ModelRef`, too."""
        yield self.module if device is None else self.module.to(device)


def load_model(
    reference: str | Path,
    *,
    arch: str | None = None,
    arch_args: Mapping[str, object] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    trust_code: bool = False,
    device: str | torch.device = "cpu",
) -> LoadedModel:
    """The model in a file.

    Args:
        reference: `.safetensors`; `.pt`, `.pth`, `.ckpt` or `.bin` (a state dict, read without unpickling code); shards
            by their `.index.json`; `.pt2`; a folder with config.json, also as `hf:FOLDER`; or a spec file `.toml` that
            names one of these.
        arch: a registered name, `timm:NAME`, `torchvision:NAME`, `hf:FOLDER`, or `path/to/file.py:callable` or
            `package.module:callable`, which is then run.
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
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    inputs: InputSpec | None = None,
    files_first: bool = False,
    resize: bool = False,
    device: str | torch.device = "cpu",
) -> LoadedModel:
    """The model in a file, as `load_model` reads it, with all that is said of it in one record.

    Args:
        options: what the caller says of the model.
        shape, classes: of the data.
        inputs: of the data, where they are no images.
        files_first: whether the options hold only for what the file does not say itself, as in a folder of models.
        resize: whether a model of another size than the data's is taken, its inputs being resized, and not refused.
        device: where the model computes.

    Raises:
        ModelError: the file is missing, refused or damaged, or does not fit; the message says what to do.
        DeviceError: there is no such device.
    """
    place = resolve_device(device)
    path = path_of(reference)
    of_files: list[Description] = []
    weights = path
    if path.suffix.lower() == ".toml":
        spec_file = read_spec_file(path)
        weights = path_of(spec_file.weights)
        of_files.append(by_spec_file(spec_file, path, options=options))
    weights = weights_of(weights)
    if kind_of(weights) == "xgboost":
        return _of_trees(weights, path, inputs, place)
    program = kind_of(weights) in PROGRAMS
    file = None if program else read_weights(weights, which=options.weights, seconds=options.seconds)
    if file is not None:
        of_files += _beside(file, weights, options)
    description, notes = _merged(
        of_files, options, shape, classes, inputs, who=str(path), files_first=files_first, resize=resize
    )
    if file is None:
        loaded = _exported(weights, description, path, trust_code=options.trust_code)
    else:
        parts = assembled(file.state, description, who=str(weights), ema=options.weights == EMA)
        check_vocabulary(None if file.card is None else file.card.spec, parts.module, who=str(weights))
        loaded = LoadedModel(
            module=parts.module.eval(),
            identity=file.identity,
            spec=parts.spec,
            card=file.card,
            path=path,
            class_names=description.class_names,
            notes=(*file.notes, *parts.notes, *notes),
        )
    check_finite(loaded.module, who=str(weights))
    if shape is not None:
        given = None if description.inputs is None else two_of(description.inputs)
        tried = try_out(loaded.module, shape, description.classes, who=str(weights), inputs=given)
        loaded = replace(loaded, notes=(*loaded.notes, *tried))
    loaded.module.to(place)
    return loaded


def load_folder(
    path: str | Path,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    *,
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    inputs: InputSpec | None = None,
) -> list[LoadedModel]:
    """The models of a folder, sorted by name: every weights file, and every `.toml` with the weights that it names.

    Args:
        options: what holds for every file that does not say it itself.
        shape, classes, inputs: of the data, as of `open_model`.

    Raises:
        ModelError: no such folder, no models in it, a model that does not load, or a checkpoint whose architecture
            neither a spec file nor the options name.
    """
    files = model_files(path, arch_known=options.arch is not None)
    return [open_model(file, options, shape=shape, classes=classes, inputs=inputs, files_first=True) for file in files]


def weights_identity(module: nn.Module) -> str:
    """SHA-256 over the names and values of a network's state, for models that never were a file."""
    return digest_arrays({name: _as_array(tensor) for name, tensor in module.state_dict().items()})


def of_module(module: nn.Module) -> LoadedModel:
    """A module that lies in memory."""
    identity = weights_identity(module)
    if not isinstance(module, Normalized):  # whose outputs are logits, in whatever form the module returns them
        module = Normalized(module, (0.0,), (1.0,)).to(device_of(module))
    return LoadedModel(module=module.eval(), identity=identity, spec=None, card=None, path=None)


def _as_array(tensor: Tensor) -> np.ndarray:
    plain = tensor.detach().cpu()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


def _beside(file: WeightFile, weights: Path, options: ModelOptions) -> list[Description]:
    """What the card in a weights file says, or, where there is none, the config files beside it."""
    if file.card is not None:
        return [by_card(file.card, weights, options=options)]
    return by_config_files(weights.parent)


def _merged(
    of_files: list[Description],
    options: ModelOptions,
    shape: tuple[int, ...] | None,
    classes: int | None,
    inputs: InputSpec | None,
    *,
    who: str,
    files_first: bool,
    resize: bool,
) -> tuple[Description, tuple[str, ...]]:
    """All that is said, the size that the network takes settled; and a note where inputs are resized."""
    of_data = Description(who=OF_DATA, classes=classes)
    if inputs is not None and inputs.modality_name != "image":
        of_data = replace(of_data, inputs=inputs)
    elif shape is not None and len(shape) == 3:
        of_data = replace(of_data, channels=shape[0], height=shape[1], size=shape[2])
    of_caller = by_options(options, who=who)
    if of_data.inputs is not None:
        order = [*of_files, of_caller] if files_first else [of_caller, *of_files]
        return layered(of_data, *order), ()
    takes = options.size
    if takes is None and resize:
        takes = next(((one.height or one.size, one.size) for one in of_files if one.size is not None), None)
    notes: tuple[str, ...] = ()
    if takes is not None:
        if options.size is not None or (shape is not None and takes != shape[1:]):
            of_files = [one.without_size() for one in of_files]
        if shape is None:
            of_caller = replace(of_caller, height=takes[0], size=takes[1])
        elif takes != shape[1:]:
            of_caller = replace(of_caller, resize_to=takes)
            notes = (
                f"{who} takes images of {takes[0]} x {takes[1]}: those of {shape[1]} x {shape[2]} are resized to it",
            )
    order = [*of_files, of_caller] if files_first else [of_caller, *of_files]
    return layered(of_data, *order), notes


def _of_trees(weights: Path, path: Path, inputs: InputSpec | None, place: torch.device) -> LoadedModel:
    from modelprint.nn.xgboost_files import read_xgboost

    read = read_xgboost(weights, inputs)
    check_finite(read.module, who=str(weights))
    return LoadedModel(module=read.module.to(place), identity=read.identity, spec=read.spec, card=None, path=path)


def _exported(weights: Path, description: Description, path: Path, *, trust_code: bool) -> LoadedModel:
    data = read_bytes(weights)
    script = kind_of_data(data, weights) == "torchscript"
    if not trust_code:
        why = (
            "a TorchScript archive holds code"
            if script
            else "the loader of .pt2 files can fall back to unpickling, which runs code"
        )
        raise ModelError(f"{weights}: {why}: pass --trust-code if you trust its maker, or {SAVE_AGAIN}")
    program = load_script(data, weights) if script else load_exported(data, weights)
    module = preprocessed(program, description, who=str(weights))
    return LoadedModel(module=module.eval(), identity=digest(data), spec=None, card=None, path=path)
