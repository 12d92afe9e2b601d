"""Options for DATA: how pictures in files are read, and what the classes are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from modelprint.cli.options import checked_size
from modelprint.core.errors import UsageError

_DATA = Group("Data", help="How DATA are read: folders, archives and lists of pictures.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DataFlags:
    """How DATA are read."""

    crop: Annotated[Literal["none", "center", "pad"] | None, Parameter(group=_DATA)] = None
    "With --size: the whole picture is squeezed (none), its middle is kept, or it is laid on the background (pad)."
    mode: Annotated[Literal["rgb", "gray"] | None, Parameter(group=_DATA)] = None
    "All pictures become colour, or grey."
    background: Annotated[str | None, Parameter(group=_DATA)] = None
    "The colour under transparent pictures: black, #808080 ...; white unless given."
    skip_bad: Annotated[bool, Parameter(group=_DATA, negative="")] = False
    "Leave out pictures that cannot be decoded; they are counted and named."
    classes: Annotated[str | None, Parameter(group=_DATA)] = None
    "A file that lists the classes in the order of the model's outputs, one a line; or how many there are."
    path: Annotated[str | None, Parameter(group=_DATA)] = None
    "Of a table, the column of the pictures' paths."
    label: Annotated[str | None, Parameter(group=_DATA)] = None
    "Of a table, the column of the labels."
    modality: Annotated[str | None, Parameter(group=_DATA)] = None
    "What kind of inputs DATA hold (image, series, text ...), where several could be meant."
    text: Annotated[str | None, Parameter(group=_DATA)] = None
    "Of a table or of JSON lines, where the texts are."
    length: Annotated[int | None, Parameter(group=_DATA)] = None
    "Bytes at which texts are cut; samples at which series are cut or filled up."
    rate: Annotated[float | None, Parameter(group=_DATA)] = None
    "Samples a second, to which sounds of other rates are resampled."

    def of(self, data: str, size: list[int] | None = None) -> str:
        """A DATA argument, read as these options say.

        Args:
            size: --size, one side or height and width, to which pictures in files are brought; arrays keep theirs.

        Raises:
            UsageError: options for pictures, where there are arrays.
            DataError: options that make no sense together.
        """
        from modelprint.data.readers import reader_of
        from modelprint.data.references import Reading, described, read_reference
        from modelprint.data.splits import is_of_pictures, is_table
        from modelprint.modalities.image.preparing import AS_THEY_ARE, Preparation

        asked = read_reference(data)
        name = asked.name
        plain = Reading(
            classes=self.classes,
            path=self.path,
            label=self.label,
            modality=self.modality or asked.reading.modality,
            text_column=self.text or asked.reading.text_column,
            length=self.length,
            rate=self.rate,
            skip_bad=self.skip_bad,
        )
        reader = reader_of(Path(name), plain)
        understood = () if reader is None else reader.options
        of_others = (("--text", self.text), ("--length", self.length), ("--rate", self.rate))
        said = [option for option, value in of_others if value is not None and option not in understood]
        if said:
            raise UsageError(f"{' and '.join(said)}: for other data than {name}: leave it out")
        if not is_of_pictures(name, plain):
            given = (
                *(("--crop", self.crop), ("--mode", self.mode), ("--background", self.background)),
                ("--skip-bad", self.skip_bad or None),
            )
            useless = [option for option, value in given if value is not None and option not in understood]
            if useless:
                raise UsageError(f"{' and '.join(useless)}: for pictures in files, not for {name}: leave it out")
            return described(data, plain if reader is not None else Reading(classes=self.classes))
        sides = None
        if (checked := checked_size(size)) is not None:
            sides = (checked[0], checked[-1])
        elif self.crop is not None and "size=" not in data:
            raise UsageError(f"--crop {self.crop} needs --size: the side that your model takes, such as --size 224")
        table = is_table(name)
        return described(
            data,
            Reading(
                preparation=Preparation(
                    size=sides,
                    crop=self.crop if self.crop and sides else AS_THEY_ARE.crop,
                    mode=self.mode,
                    background=self.background or AS_THEY_ARE.background,
                ),
                skip_bad=self.skip_bad,
                classes=self.classes,
                path=self.path if table else None,
                label=self.label if table else None,
            ),
        )
