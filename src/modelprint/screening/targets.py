"""The suspects that a scan's targets name: files, folders, patterns, models of MLflow, addresses."""

from __future__ import annotations

import atexit
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelprint.core.errors import ModelprintError, UsageError, first_line
from modelprint.core.redaction import is_address, shown_reference
from modelprint.core.untrusted import read_regular
from modelprint.nn.folders import folder_models, holds_answers
from modelprint.nn.kinds import CHECKPOINT_SUFFIXES, SAVED_MODEL, kind_of
from modelprint.nn.options import ModelOptions
from modelprint.nn.places import IN_FOLDERS, MODELS_FILE
from modelprint.ownership.fingerprint import MANIFEST, TENSORS
from modelprint.screening.registry import INDEX

MLFLOW = "models:/"
_SNAPSHOTS, _REVISIONS = "snapshots", "refs"  # of a model in a cache folder of Hugging Face
_HIDDEN = "."
_RECORDED = (".jsonl", ".npz")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One suspect.

    Attributes:
        name: what results call it; no secret of an address.
        reference: as `verify` takes it.
        options: how its file is read.
        error: why it cannot be a suspect; None where it can.
    """

    name: str
    reference: str
    options: ModelOptions
    error: str | None = None

    @property
    def is_address(self) -> bool:
        """Whether it is a server."""
        return is_address(self.reference)


def targets_of(words: Sequence[str], options: ModelOptions) -> list[Target]:
    """All suspects that the words of a command line name, each once, in order.

    A file is one suspect, whatever it holds. A folder is one suspect if it is a model (SavedModel, Hugging Face, a
    model in a cache of Hugging Face); else every model file below it is one, and what its `models.toml` says holds.
    `@FILE` names a text file of targets, one a line.

    Raises:
        UsageError: nothing was named, a pattern fits nothing, or a folder holds no model.
    """
    targets: dict[str, Target] = {}
    for word in words:
        for target in _of_word(word, options):
            targets.setdefault(_once(target.reference), target)
    if not targets:
        raise UsageError("no suspect was named: name files, folders, patterns, addresses, or @FILE with one a line")
    return list(targets.values())


def _once(reference: str) -> str:
    return reference if is_address(reference) or reference.startswith(MLFLOW) else os.path.realpath(reference)


def _of_word(word: str, options: ModelOptions) -> Iterator[Target]:
    if word.startswith("@"):
        yield from _of_list(Path(word[1:]), options)
    elif word.startswith(MLFLOW):
        yield _of_mlflow(word, options)
    elif is_address(word):
        yield Target(name=shown_reference(word), reference=word, options=options)
    else:
        path = Path(word)
        if path.is_dir():
            models = list(_below(path, options))
            if not models:
                raise UsageError(f"{path} holds no model files: name the files themselves, or another folder")
            yield from models
        elif not path.exists() and glob.has_magic(word):
            matches = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            if not matches:
                raise UsageError(f"{word} fits no file")
            for match in matches:
                yield from _below(Path(match), options) if Path(match).is_dir() else [_file(Path(match), options)]
        else:
            yield _file(path, options)  # one that is missing is a row with its error


def _of_list(path: Path, options: ModelOptions) -> Iterator[Target]:
    try:
        text = read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"@{path} cannot be read as text: {first_line(error)}") from error
    for line in text.splitlines():
        word = line.strip()
        if word and not word.startswith("#"):
            if word.startswith("@"):
                raise UsageError(f"@{path} names {word}: a list of targets names no other list")
            yield from _of_word(word, options)


def _file(path: Path, options: ModelOptions) -> Target:
    return Target(name=str(path), reference=str(path), options=options)


def _below(folder: Path, options: ModelOptions, *, seen: frozenset[str] = frozenset()) -> Iterator[Target]:
    """The suspects at and below a folder; links in a circle are followed once."""
    real = os.path.realpath(folder)
    if real in seen or _is_ours(folder):
        return
    if _is_model(folder):
        yield _file(folder, options)
        return
    cached = _in_cache(folder)
    if cached is not None:
        yield Target(name=_repository(folder), reference=str(cached), options=options)
        return
    try:
        entries = sorted(folder.iterdir())
        yield from _beside(folder, entries, options)
        for entry in entries:
            if entry.is_dir() and not entry.name.startswith(_HIDDEN) and not _is_model(entry):
                yield from _below(entry, options, seen=seen | {real})
    except OSError as error:
        yield Target(name=str(folder), reference=str(folder), options=options, error=first_line(error))


def _beside(folder: Path, entries: Sequence[Path], options: ModelOptions) -> Iterator[Target]:
    """The models that stand in a folder itself."""
    if not any(_may_be_model(entry) for entry in entries):
        return
    try:
        models = folder_models(folder, options)
    except ModelprintError as error:  # a models.toml or spec file that is wrong: each file is judged as it is
        for entry in entries:
            if _may_be_model(entry) and entry.name != MODELS_FILE:
                yield Target(name=str(entry), reference=str(entry), options=options, error=str(error))
        return
    for model in models:
        name = str(folder / model.name) if model.path is not None else shown_reference(model.reference)
        yield Target(name=name, reference=model.reference, options=model.options)


def _may_be_model(entry: Path) -> bool:
    if entry.name.startswith(_HIDDEN):
        return False
    if entry.is_dir():
        return _is_model(entry)
    suffix = entry.suffix.lower()
    if suffix == ".csv":
        return holds_answers(entry)
    return (
        entry.name == MODELS_FILE
        or suffix in _RECORDED
        or suffix in CHECKPOINT_SUFFIXES
        or (suffix not in {".txt", ".md", ".json", ".py"} and kind_of(entry) != "other")
    )


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a fingerprint or a registry, whose tensors are no suspects."""
    return ((folder / MANIFEST).is_file() and (folder / TENSORS).is_file()) or (folder / INDEX).is_file()


def _is_model(folder: Path) -> bool:
    """Whether a folder is one model: SavedModel, or as `save_pretrained` writes it."""
    if not folder.is_dir():
        return False
    if (folder / SAVED_MODEL).is_file():
        return True
    return (folder / "config.json").is_file() and any((folder / name).is_file() for name in IN_FOLDERS)


def _in_cache(folder: Path) -> Path | None:
    """The revision of a model in a cache folder of Hugging Face that is used last; None where it is none."""
    if not folder.name.startswith("models--") or not (folder / _SNAPSHOTS).is_dir():
        return None
    main = folder / _REVISIONS / "main"
    if main.is_file():
        named = folder / _SNAPSHOTS / main.read_text(encoding="utf-8", errors="replace").strip()
        if named.is_dir():
            return named
    revisions = sorted((folder / _SNAPSHOTS).iterdir(), key=lambda one: one.stat().st_mtime)
    return revisions[-1] if revisions else None


def _repository(folder: Path) -> str:
    """The name of a repository in a cache folder: models--ORG--NAME.

    >>> _repository(Path("hub/models--google--vit-base"))
    'google/vit-base'
    """
    return folder.name.removeprefix("models--").replace("--", "/")


def _of_mlflow(word: str, options: ModelOptions) -> Target:
    """A model of an MLflow registry, downloaded until this process ends: the one model file among what was logged.

    Raises:
        UsageError: the extra is missing.
    """
    try:
        from mlflow.artifacts import download_artifacts
    except ImportError as error:
        raise UsageError(f"{word} needs the extra: pip install 'modelprint[mlflow]'") from error
    folder = tempfile.mkdtemp(prefix="modelprint-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        place = Path(download_artifacts(artifact_uri=word, dst_path=folder))
    except Exception as error:  # whatever a registry, or its store, refuses
        return Target(
            name=word, reference=word, options=options, error=f"{word} cannot be fetched: {first_line(error)}"
        )
    files = [file for file in sorted(place.rglob("*")) if file.is_file() and _may_be_model(file)]
    models = [file for file in files if file.suffix.lower() not in _RECORDED]
    if len(models) != 1:
        names = ", ".join(file.name for file in models[:5]) or "none"
        error_text = f"it holds {len(models)} model files ({names}): one is expected"
        return Target(name=word, reference=str(place), options=options, error=error_text)
    return Target(name=word, reference=str(models[0]), options=options)
