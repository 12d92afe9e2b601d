"""Models of a folder as suspects: files of any format, recorded answers and addresses are opened in one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelprint.core.suspect import Suspect
from modelprint.modalities.base import InputSpec, Modality
from modelprint.nn.folders import FolderModel
from modelprint.suspects.open import SuspectOptions, open_suspect
from modelprint.suspects.options import AskedInputs
from modelprint.suspects.outputs import OutputForm


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What all models take and tell apart: the shape of one stored input, and the names of the classes."""

    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    modality: Modality

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def spec(self) -> InputSpec:
        """What models of this task take."""
        return self.modality.spec(self.shape, self.class_names)


def open_folder_model(
    one: FolderModel,
    inputs: Inputs,
    *,
    asked_by: str = "",
    hashes: Sequence[str] = (),
    device: str | None = None,
) -> Suspect:
    """A model of a folder, ready to be asked, with what `models.toml` says of it.

    Args:
        asked_by: who asks, by SHA-256; the answers of an address are kept under it.
        hashes: SHA-256 of each input that will be asked.
        device: where it computes, if it is a file; None: the CPU.

    Raises:
        ModelprintError: it cannot be read, or does not fit the inputs.
    """
    entry = one.entry
    aliases: Mapping[str, int | str] = {}
    outputs = OutputForm()
    if entry.class_names is not None:
        from modelprint.suspects.class_names import read_class_names

        file = read_class_names(one.folder / entry.class_names)
        aliases, outputs = file.class_names, file.form
    options = SuspectOptions(
        modality=inputs.modality,
        class_names=inputs.class_names,
        class_aliases=aliases,
        outputs=outputs,
        input_shape=inputs.shape,
        fingerprint=asked_by or None,
        asked=lambda: [AskedInputs(queries=tuple(hashes), whole=False)],
        device=device,
        model=one.options,
        files_first=one.files_first,
        api=entry.api,
        mapping=None if entry.mapping is None else one.folder / entry.mapping,
        model_name=entry.model,
        layout=entry.layout,
        picture=entry.picture,
        batch_size=entry.batch_size,
        rate=entry.rate,
        timeout=entry.timeout,
        send_token=one.options.trust_code,
    )
    return open_suspect(one.reference, options)
