"""Where a model's files lie: from what a user wrote to the file of weights, and to all models of a folder."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from modelprint.core.errors import ModelError
from modelprint.nn.kinds import CHECKPOINT_SUFFIXES, PROGRAMS, WAYS_ROUND, is_asked, kind_of
from modelprint.nn.spec_file import read_spec_file

MODELS_FILE = "models.toml"  # what a folder says of all its models
IN_FOLDERS = (  # as save_pretrained and timm name them
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def weights_of(path: Path) -> Path:
    """The file of weights that a folder holds; the path itself where it is no folder.

    Raises:
        ModelError: a folder without any.
    """
    if not path.is_dir():
        return path
    for name in IN_FOLDERS:
        if (path / name).is_file():
            return path / name
    raise ModelError(
        f"{path} is a folder without {' or '.join(IN_FOLDERS[::2])}: name the model file in it, or {WAYS_ROUND}"
    )


def path_of(reference: str | Path) -> Path:
    """The file or folder that a MODEL names: `hf:FOLDER` is a folder."""
    return Path(str(reference).removeprefix("hf:"))


def broken_spec_files(folder: Path) -> dict[Path, str]:
    """The spec files of a folder that cannot be read, and why."""
    broken = {}
    for spec in _spec_files(folder):
        try:
            read_spec_file(spec)
        except ModelError as error:
            broken[spec] = str(error)
    return broken


def model_files(
    path: str | Path, *, arch_known: bool = False, empty: bool = False, without: Collection[Path] = ()
) -> list[Path]:
    """The files of a folder that each name one model: spec files, weights that no spec file names, and model folders.

    Args:
        arch_known: whether checkpoints that do not say their architecture can be read all the same.
        empty: whether a folder without any is accepted.
        without: spec files that are left alone.

    Raises:
        ModelError: no such folder, none in it, or a checkpoint whose architecture no spec file tells.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: name a folder of .safetensors files, or of .toml spec files")
    specs = [file for file in _spec_files(folder) if file not in without]
    named = {os.path.realpath(read_spec_file(spec).weights) for spec in specs}  # of links in a circle, too
    unnamed = [file for file in sorted(folder.iterdir()) if os.path.realpath(file) not in named]
    programs = [file for file in unnamed if kind_of(file) in PROGRAMS]  # these need no architecture
    checkpoints = [
        file
        for file in unnamed
        if file.suffix.lower() in CHECKPOINT_SUFFIXES and file not in programs and not _of_graph(file)
    ]
    if checkpoints and not arch_known:
        raise ModelError(
            f"{checkpoints[0]} does not say its architecture: give --arch, write "
            f"{checkpoints[0].with_suffix('.toml').name} beside it (weights, arch, mean, std), or move it elsewhere"
        )
    whole = [file for file in unnamed if file.suffix.lower() == ".safetensors"]
    folders = [file for file in unnamed if file.is_dir() and any((file / name).is_file() for name in IN_FOLDERS)]
    models = sorted([*specs, *checkpoints, *programs, *whole, *folders])
    if not models and not empty:
        raise ModelError(f"{folder} holds no models: put .safetensors files, or .toml spec files, into it")
    return models


def _of_graph(file: Path) -> bool:
    """Whether a file with a checkpoint's suffix is a model of another kind, or the weights of an OpenVINO model."""
    return is_asked(file) or (file.suffix.lower() == ".bin" and file.with_suffix(".xml").is_file())


def _spec_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.toml") if file.name != MODELS_FILE)
