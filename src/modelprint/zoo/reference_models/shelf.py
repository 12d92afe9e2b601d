"""Where models are put until their fingerprint is finished: what Ctrl-C or a crash leaves is used again."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from modelprint.core.files import write_bytes
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

    def file(self, recipe: object) -> Path:
        """Where the model of a recipe lies, or will lie.

        Args:
            recipe: everything that decides its weights, as JSON.
        """
        path = self.place / f"{digest_json(recipe).removeprefix('sha256:')[:40]}.safetensors"
        self._used.add(path)
        return path

    def put(self, path: Path, state: bytes, card: ModelCard) -> None:
        """Write a model; whole or not at all."""
        write_bytes(path, model_bytes(network(card.spec, state), card))

    def model(self, path: Path) -> StoredModel:
        """A model that lies here, by its weights: its file is no concern of anybody."""
        model = self._read(path)
        return StoredModel(
            path=None,
            identity=weights_identity(model.module),
            spec=model.spec,
            card=model.card,
            read=lambda: self._read(path),
        )

    def clear(self) -> None:
        """Remove the models that were asked for here: their fingerprint is finished."""
        for path in self._used:
            path.unlink(missing_ok=True)

    @staticmethod
    def _read(path: Path) -> LoadedModel:
        return open_model(path, ModelOptions(trust_code=True))  # by the spec of the model that the owner named
