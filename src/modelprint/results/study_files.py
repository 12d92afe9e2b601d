"""Find the studies that lie beside a benchmark's results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from modelprint.core.errors import ModelprintError
from modelprint.core.records import Record
from modelprint.results.studies import ClaimStudy, EarlyStudy, Studies, SubspaceStudy

Study = TypeVar("Study", bound=Record)
_FILE_NAME = re.compile(r"[\w.-]{1,100}")


def find_studies(folder: Path, name: str) -> Studies:
    """The studies of a benchmark: `uap_claim_`, `uap_subspace_` and `contrast_early_NAME.json`, those that are there.

    Raises:
        ModelprintError: a file is there and holds something else, or cannot be read.
    """
    if not _FILE_NAME.fullmatch(name):
        return Studies()  # no file can have that name
    return Studies(
        claim=_read(ClaimStudy, folder / f"uap_claim_{name}.json"),
        subspace=_read(SubspaceStudy, folder / f"uap_subspace_{name}.json"),
        early=_read(EarlyStudy, folder / f"contrast_early_{name}.json"),
    )


def _read(kind: type[Study], path: Path) -> Study | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise ModelprintError(
            f"{path} does not hold a study that this version reads: make it again, or take it away: {error}"
        ) from error
