"""Which models are asked: those of a folder, or of a list; what else lies there is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelprint.bench.recording.table_file import UnreadModel
from modelprint.core.errors import DataError, ModelError
from modelprint.core.untrusted import read_regular
from modelprint.nn.folders import FolderModel, folder_model, folder_models
from modelprint.nn.kinds import is_no_model, no_model_file
from modelprint.nn.options import ModelOptions
from modelprint.nn.places import MODELS_FILE, broken_spec_files

LISTS = (".txt", ".list")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a folder or list holds.

    Attributes:
        models: under distinct ids.
        unread: what cannot be read as a model, and why.
        passed: folders in it that hold no model at their top, and were not looked into.
    """

    models: dict[str, FolderModel]
    unread: tuple[UnreadModel, ...]
    passed: tuple[str, ...] = ()


def listed(place: Path, options: ModelOptions) -> Listing:
    """The models of a folder, or of a text file that names one model a line.

    Args:
        options: what holds for every file that does not say its own.

    Raises:
        ModelError: no such folder, no models in it, or a `models.toml` that makes no sense.
        DataError: no such list, or an empty one.
    """
    if place.is_dir():
        return _of_folder(place, options)
    if place.suffix.lower() not in LISTS:
        raise DataError(f"{place} is neither a folder nor a list ({' or '.join(LISTS)}) that names one model a line")
    return _of_list(place, options)


def _of_folder(folder: Path, options: ModelOptions) -> Listing:
    broken = broken_spec_files(folder)
    unread = [UnreadModel(id=path.name, error=without_folder(reason, folder)) for path, reason in broken.items()]
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and is_no_model(path)]
    unread += [UnreadModel(id=path.name, error=without_folder(no_model_file(path), folder)) for path in files]
    try:
        models = folder_models(folder, options, without=tuple(broken))
    except ModelError:
        if not unread or (folder / MODELS_FILE).exists():
            raise
        models = []
    known = {one.name for one in models}
    passed = tuple(path.name for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in known)
    return Listing(models={one.name: one for one in models}, unread=tuple(unread), passed=passed)


def _of_list(place: Path, options: ModelOptions) -> Listing:
    try:
        text = read_regular(place).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{place} cannot be read as a list of models ({error})") from error
    lines = [line.strip() for line in text.splitlines()]
    names = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not names:
        raise DataError(f"{place} names no model: write one path a line")
    models: dict[str, FolderModel] = {}
    unread: list[UnreadModel] = []
    for name, short in zip(names, distinct(names), strict=True):
        path = place.parent / name.removeprefix("hf:")
        try:
            if not path.exists():
                raise ModelError(f"{name}, which {place} names, does not exist: paths start at the list's folder")
            models[short] = folder_model(path, options)
        except ModelError as error:
            unread.append(UnreadModel(id=short, error=without_folder(str(error), path.parent)))
    return Listing(models=models, unread=tuple(unread))


def without_folder(text: str, folder: Path) -> str:
    """An error without the place where models lie here, which is nobody's business who reads the table."""
    return text.replace(f"{folder}/", "")


def distinct(paths: Sequence[str]) -> list[str]:
    """The shortest end of each path that tells it from the others; paths that are one path stay the same.

    >>> distinct(["runs/1/best.pt", "runs/2/best.pt", "../other.onnx"])
    ['1/best.pt', '2/best.pt', 'other.onnx']
    """
    parts = [tuple(part for part in Path(path).parts if part not in ("..", ".", "/")) for path in paths]
    names = []
    for own in parts:
        others = [other for other in parts if other != own]
        length = next(size for size in range(1, len(own) + 1) if all(other[-size:] != own[-size:] for other in others))
        names.append("/".join(own[-length:]))
    return names
