"""The models of a folder: files of several architectures and formats, recorded answers, and addresses."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from modelprint.core.errors import ModelError
from modelprint.core.untrusted import open_regular
from modelprint.nn.kinds import is_asked
from modelprint.nn.models_file import ModelEntry, read_models_file
from modelprint.nn.options import ModelOptions
from modelprint.nn.places import IN_FOLDERS, MODELS_FILE, model_files
from modelprint.nn.spec_file import read_spec_file

RECORDED = (".jsonl", ".npz", ".csv")  # answers that were given before
_HINT = f"put model files, .toml spec files or recorded answers into it, or a {MODELS_FILE} that names addresses"


@dataclass(frozen=True, kw_only=True)
class FolderModel:
    """One model of a folder.

    Attributes:
        folder: where it stands.
        name: its file's, or the one under which `models.toml` has it.
        reference: its file, its folder, or its address.
        options: how it is read.
        entry: what `models.toml` says of it.
        files_first: whether the options hold only for what the file does not say itself.
    """

    folder: Path
    name: str
    reference: str
    options: ModelOptions
    entry: ModelEntry
    files_first: bool = True

    @property
    def is_torch(self) -> bool:
        """Whether it is a network of torch, which has gradients, and not only something that answers."""
        if self.entry.url is not None:
            return False
        weights = Path(_weights(self.reference))
        return weights.suffix.lower() not in RECORDED and not is_asked(weights)

    @property
    def path(self) -> Path | None:
        """Its file or folder, if it is one."""
        return None if self.entry.url is not None else Path(self.reference)


def folder_models(path: str | Path, options: ModelOptions, *, without: Collection[Path] = ()) -> list[FolderModel]:
    """The models of a folder, sorted by name; addresses last.

    Args:
        options: what holds for every file that does not say its own.
        without: spec files that are left alone.

    Raises:
        ModelError: no such folder, none in it, or what its `models.toml` says does not fit.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder: name a folder of models")
    models_file = read_models_file(folder)
    general = models_file.defaults.over(options, folder)
    files = [*model_files(folder, arch_known=True, empty=True, without=without), *_answering(folder, without)]
    models = [
        _of_file(file, models_file.models.get(file.name), models_file.defaults, general, folder=folder)
        for file in sorted(files)
    ]
    for name, entry in models_file.models.items():
        if entry.url is not None:
            models.append(
                FolderModel(
                    folder=folder, name=name, reference=entry.url, options=entry.over(general, folder), entry=entry
                )
            )
    if not models:
        raise ModelError(f"{folder} holds no models: {_HINT}")
    return models


def folder_model(file: Path, options: ModelOptions) -> FolderModel:
    """One model by its file or folder, with what the `models.toml` beside it says.

    Args:
        options: what holds unless the file says its own.

    Raises:
        ModelError: what its `models.toml` says does not fit.
    """
    folder = file.parent
    models_file = read_models_file(folder)
    general = models_file.defaults.over(options, folder)
    return _of_file(file, models_file.models.get(file.name), models_file.defaults, general, folder=folder)


def _of_file(
    file: Path, entry: ModelEntry | None, defaults: ModelEntry, general: ModelOptions, *, folder: Path
) -> FolderModel:
    merged = (
        defaults
        if entry is None
        else entry.model_copy(
            update={
                "kind": entry.kind or defaults.kind,
                "made_from": entry.made_from or defaults.made_from,
                "licence": entry.licence or defaults.licence,
                "origin": entry.origin or defaults.origin,
            }
        )
    )
    return FolderModel(
        folder=folder,
        name=file.name,
        reference=str(file),
        options=general if entry is None else entry.over(general, folder),
        entry=merged,
        files_first=entry is None,
    )


def _answering(folder: Path, without: Collection[Path]) -> list[Path]:
    """Recordings, and models that are asked but have no gradients here, that no spec file names."""
    specs = [file for file in folder.glob("*.toml") if file.name != MODELS_FILE and file not in without]
    named = {Path(read_spec_file(spec).weights).resolve() for spec in specs}
    return [
        file
        for file in folder.iterdir()
        if (file.suffix.lower() in RECORDED or is_asked(file))
        and file.resolve() not in named
        and (file.suffix.lower() != ".csv" or holds_answers(file))
    ]


def holds_answers(path: Path) -> bool:
    """Whether the first line of a CSV file names a column of labels; logs of training are left alone."""
    with open_regular(path) as stream:
        start = stream.read(2**12)
    text = start.decode("utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("#", "sep="))]
    return "label" in {name.strip(' "').casefold() for name in re.split(r"[,;\t]", next(iter(lines), ""))}


def _weights(reference: str) -> str:
    """The file of weights that a reference names, by way of its spec file or its folder."""
    path = Path(reference)
    if path.suffix.lower() == ".toml":
        return read_spec_file(path).weights
    if path.is_dir():
        return next((name for name in IN_FOLDERS if (path / name).is_file()), reference)
    return reference
