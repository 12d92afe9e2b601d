"""What a browser sends, kept in a private folder until the console ends; nothing of it is ever run."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from modelprint.core.errors import ModelprintError, UsageError, first_line
from modelprint.core.untrusted import BombError, check_zip
from modelprint.nn.kinds import CHECKPOINT_SUFFIXES
from modelprint.ownership.fingerprint import MANIFEST, TENSORS, WEIGHTS

RECORDED_SUFFIXES = (".jsonl", ".npz", ".csv")
MODEL_SUFFIXES = (
    ".safetensors", *sorted(CHECKPOINT_SUFFIXES), ".onnx", ".tflite", ".keras", ".h5", ".hdf5", ".xml"
)  # fmt: skip
_BESIDE = (".data", ".onnx_data")  # weights of an ONNX file that lie beside it
SUSPECT_SUFFIXES = (*MODEL_SUFFIXES, *RECORDED_SUFFIXES, *_BESIDE)
DATA_SUFFIXES = (
    *(".npz", ".zip", ".csv", ".tsv", ".parquet", ".arrow"),
    *(".jsonl", ".ndjson", ".ts", ".dat"),
)
_OF_FINGERPRINT = (MANIFEST, TENSORS, "SHA256", WEIGHTS)
_LONGEST_NAME = 120
Upload = tuple[str, IO[bytes]]  # the name as the browser says it, and the contents
_GROWTH = 20  # times its size that a zip of a fingerprint may unpack to


class Store:
    """A private temporary folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="modelprint-console-"))

    def suspects(self, files: Sequence[Upload]) -> list[Path]:
        """Keep the files of one scan in a folder of their own; those that are suspects, in order.

        Args:
            files: names as the browser says them, and contents.

        Raises:
            UsageError: one is no model file by its name, two have one name, or one is empty.
            ModelprintError: the disk is full.
        """
        names = [checked_name(name) for name, _ in files]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"two uploads are named {twice}: rename one")
        place = self.fresh("scan-")
        try:
            for name, (_, stream) in zip(names, files, strict=True):
                _copied(stream, place / name)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        kept = [place / name for name in names if not _is_beside(name, names)]
        if not kept:
            shutil.rmtree(place, ignore_errors=True)
            raise UsageError(f"{names[0]} belongs to a model file: upload both together")
        return kept

    def model(self, place: Path, files: Sequence[Upload]) -> str:
        """Keep the files of one model in a folder that `fresh` made; the name of the one to open.

        Raises:
            UsageError: they are no model, or more than one.
            ModelprintError: the disk is full.
        """
        names = [checked_name(name, (*MODEL_SUFFIXES, *_BESIDE)) for name, _ in files]
        opened = [name for name in names if not _is_beside(name, names)]
        if len(opened) != 1 or len(set(names)) < len(names):
            raise UsageError(f"one model is enrolled at a time, got {', '.join(names)}")
        place.mkdir()
        for name, (_, stream) in zip(names, files, strict=True):
            _copied(stream, place / name)
        return opened[0]

    def data(self, place: Path, upload: Upload) -> str:
        """Keep a data set in a folder that `fresh` made; its name.

        Raises:
            UsageError: it is no data set by its name.
            ModelprintError: the disk is full.
        """
        name = checked_name(upload[0], DATA_SUFFIXES, what="data set")
        plain = "".join("_" if letter in "[]?" else letter for letter in name)  # they mean something in a reference
        place.mkdir()
        _copied(upload[1], place / plain)
        return plain

    def fingerprint(self, name: str, stream: IO[bytes]) -> Path:
        """Unpack the zip of a fingerprint's folder; the folder, to be removed after use.

        Raises:
            UsageError: it is no such zip.
            ModelprintError: the disk is full.
        """
        place = self.fresh("fingerprint-")
        folder = place / (checked_text(PurePosixPath(name.replace("\\", "/")).stem) or "fingerprint")
        try:
            folder.mkdir()
            _unpacked(name, stream, folder)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return folder

    def remove(self, path: Path) -> None:
        """Remove what `suspects` or `fingerprint` kept: the whole folder that a path lies in; no other path."""
        if path.parent.parent == self.folder:
            shutil.rmtree(path.parent, ignore_errors=True)

    def end(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def fresh(self, prefix: str) -> Path:
        """A new folder.

        Raises:
            ModelprintError: the disk is full.
        """
        try:
            return Path(tempfile.mkdtemp(dir=self.folder, prefix=prefix))
        except OSError as error:
            raise ModelprintError(f"the upload cannot be kept: {error.strerror or error}") from error


def checked_name(name: str, known: Sequence[str] = SUSPECT_SUFFIXES, *, what: str = "model file") -> str:
    r"""The name under which an upload is kept.

    >>> checked_name("C:\\models\\a\x1b.onnx")
    'a_.onnx'

    Args:
        known: how the names of such files end.

    Raises:
        UsageError: no file of that name is one.
    """
    plain = checked_text(PurePosixPath(name.replace("\\", "/")).name).lstrip(".")
    suffix = PurePosixPath(plain).suffix.lower()
    if suffix == ".py":
        raise UsageError(f"{plain} is a program: the console runs none. Export the model, for example as ONNX")
    if suffix not in known:
        ends = ", ".join(one for one in known if one not in _BESIDE)
        raise UsageError(f"{plain or 'a file without a name'} is no {what} by its name: one ends in {ends}")
    return plain


def checked_text(text: str) -> str:
    r"""A name without characters that are not seen, of a length that file systems take.

    >>> checked_text("two\nlines")
    'two_lines'
    """
    seen = "".join(letter if letter.isprintable() and letter not in "/\\:" else "_" for letter in text)
    return seen if len(seen) <= _LONGEST_NAME else seen[-_LONGEST_NAME:]


def _is_beside(name: str, names: Sequence[str]) -> bool:
    """Whether an upload belongs to another: the weights of an OpenVINO or an ONNX file."""
    path = PurePosixPath(name)
    if path.suffix.lower() in _BESIDE:
        return True
    return path.suffix.lower() == ".bin" and f"{path.stem}.xml" in names


def _copied(stream: IO[bytes], place: Path) -> None:
    try:
        with place.open("xb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        size = place.stat().st_size
    except OSError as error:
        raise ModelprintError(f"{place.name} cannot be kept: {error.strerror or error}") from error
    if not size:
        raise UsageError(f"{place.name} is empty")


def _unpacked(name: str, stream: IO[bytes], folder: Path) -> None:
    """Unpack the files of a fingerprint, and no others; they may lie in one folder of the zip."""
    shown = checked_text(name)
    try:
        check_zip(stream, growth=_GROWTH)
        with zipfile.ZipFile(stream) as archive:
            manifests = [entry for entry in archive.namelist() if PurePosixPath(entry).name == MANIFEST]
            if len(manifests) != 1:
                raise UsageError(
                    f"{shown} holds {len(manifests)} files named {MANIFEST}, one is expected: zip the folder of one "
                    "fingerprint"
                )
            inside = PurePosixPath(manifests[0]).parent
            for part in _OF_FINGERPRINT:
                entry = str(inside / part)
                if entry in archive.namelist():
                    with archive.open(entry) as packed:
                        _copied(packed, folder / part)
    except (zipfile.BadZipFile, BombError, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise UsageError(f"{shown} cannot be read as a zip of a fingerprint's folder: {first_line(error)}") from error
