"""Where models are put until their fingerprint is finished: what Ctrl-C or a crash leaves is used again.

Several processes may use one place. Each holds what it uses by links of its own, so that another one that finishes
first, and removes what it asked for, takes nothing away.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path

from modelprint.core.errors import ModelprintError
from modelprint.core.files import locked, write_bytes
from modelprint.core.identity import digest_json
from modelprint.nn.files import ModelCard, model_bytes
from modelprint.nn.loading import LoadedModel, open_model, weights_identity
from modelprint.nn.options import ModelOptions
from modelprint.nn.refs import StoredModel
from modelprint.zoo.reference_models.network import network


def user_place() -> Path:
    """Where a user's unfinished models are kept: in the user cache."""
    import pooch

    return Path(pooch.os_cache("modelprint")) / "reference-models"


_HELD = ".held-"
_SETTLED = 3600.0  # seconds after which a folder of links that nobody locks belongs to nobody


class Shelf:
    """Model files, each named after the hash of its recipe; the same recipe is never followed twice.

    Args:
        place: a folder; None: one of its own, which lasts as long as the shelf.
    """

    def __init__(self, place: Path | None = None) -> None:
        if place is None:
            place = Path(tempfile.mkdtemp(prefix="modelprint-"))
            weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        self.place = place
        self._used: set[Path] = set()
        self._held: Path | None = None

    def file(self, recipe: object) -> Path:
        """Where the model of a recipe lies, or will lie.

        Args:
            recipe: everything that decides its weights, as JSON.
        """
        path = self.place / f"{digest_json(recipe).removeprefix('sha256:')[:40]}.safetensors"
        self._used.add(path)
        return path

    def holds(self, path: Path) -> bool:
        """Whether a model lies here; it then stays as long as this shelf, whoever removes the file."""
        own = self._own(path)
        if not own.is_file():
            try:
                own.hardlink_to(path)
            except FileNotFoundError:
                return False
            except OSError:  # a file system without links
                try:
                    shutil.copyfile(path, own)
                except FileNotFoundError:
                    return False
        return True

    def put(self, path: Path, state: bytes, card: ModelCard) -> None:
        """Write a model; whole or not at all."""
        own = self._own(path)
        write_bytes(own, model_bytes(network(card.spec, state), card))
        try:
            path.hardlink_to(own)
        except FileExistsError:
            pass  # another process was first with the same model
        except OSError:  # a file system without links
            write_bytes(path, own.read_bytes())

    def model(self, path: Path) -> StoredModel:
        """A model that this shelf holds, by its weights: its file is no concern of anybody."""
        own = self._own(path)
        model = self._read(own)
        return StoredModel(
            path=None,
            identity=weights_identity(model.module),
            spec=model.spec,
            card=model.card,
            read=lambda: self._read(own),
        )

    def clear(self) -> None:
        """Remove the models that were asked for here: their fingerprint is finished."""
        for path in self._used:
            path.unlink(missing_ok=True)

    def _own(self, path: Path) -> Path:
        """This shelf's own link to a file, in a folder that ends with the shelf."""
        if self._held is None:
            self.place.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._held = Path(tempfile.mkdtemp(prefix=_HELD, dir=self.place))
            lock = ExitStack()
            lock.enter_context(locked(self._held, "enrollment"))
            weakref.finalize(self, _let_go, self._held, lock)
        return self._held / path.name

    def _sweep(self) -> None:
        """Remove the links of processes that were killed."""
        for folder in self.place.glob(f"{_HELD}*"):
            with suppress(ModelprintError, OSError):
                if time.time() - folder.stat().st_mtime > _SETTLED:
                    with locked(folder, "enrollment"):
                        shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _read(path: Path) -> LoadedModel:
        return open_model(path, ModelOptions(trust_code=True))  # by the spec of the model that the owner named


def _let_go(folder: Path, lock: ExitStack) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()
