"""The command that finds what an API calls the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelprint.cli.console import out
from modelprint.cli.data_options import DataFlags
from modelprint.cli.options import ApiOptions, ModelFlags, suspect_options


def map_classes(
    suspect: str,
    data: str,
    *,
    out_: Annotated[Path, Parameter(name="--out")],
    images: int = 10,
    reading: DataFlags = DataFlags(),  # noqa: B008 - frozen
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
) -> None:
    """Find what an API calls the classes, and write it to a file for --class-names.

    Parameters
    ----------
    suspect
        An http(s) address.
    data
        Labelled images, other ones than the fingerprint's.
    out_
        A TOML file, to be looked over.
    images
        Of each class, to ask.
    """
    from modelprint.core.errors import UsageError
    from modelprint.core.files import write_text
    from modelprint.core.redaction import is_address, shown_reference
    from modelprint.data.splits import load_data
    from modelprint.suspects.class_names import ask_class_names, per_class

    if not is_address(suspect):
        raise UsageError(f"{shown_reference(suspect)} is no address: files and recordings number classes themselves")
    known = load_data(reading.of(data, how.size))
    chosen = known.take(per_class(known.labels, images))
    options = suspect_options(how, api)
    class_names = ask_class_names(suspect, chosen.stored, chosen.labels, known.classes, options=options)
    write_text(out_, class_names.to_toml(known.class_names))
    out.print(
        f"{out_}: {known.classes} classes, from the answers to {len(chosen)} {chosen.modality.plural}", markup=False
    )
    for name, own, share in zip(class_names.names, known.class_names, class_names.shares, strict=True):
        out.print(f"{name} = {own} ({share:.0%} of its {chosen.modality.plural})", markup=False)
