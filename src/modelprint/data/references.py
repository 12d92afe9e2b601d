"""What a DATA argument says: a set, a part of it, and how its pictures are read.

`photos:train[0:1000]?size=224x224&crop=center`: everything behind the question mark is what options of the command line
say; so one text names the very same inputs in another process, in a plan, and in the record of an enrollment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from modelprint.core.errors import DataError
from modelprint.modalities.image.preparing import AS_THEY_ARE, Preparation

_PART = re.compile(r"^(?P<name>.+?)(?::(?P<split>[a-z]+))?(?:\[(?P<start>\d*):(?P<stop>\d*)\])?$")
_KEYS = (
    *("size", "crop", "mode", "background", "skip-bad", "classes", "path", "label"),
    *("modality", "text", "length", "rate"),
)
_READING = re.compile(rf"^(?P<part>.+)\?(?P<reading>(?:{'|'.join(_KEYS)})=[^&=]*(?:&[a-z-]+=[^&=]*)*)$")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a set is read, where it does not say itself.

    Attributes:
        preparation: what is done with each picture.
        skip_bad: whether pictures that cannot be decoded are left out, and not refused.
        classes: a file that lists the classes in the order of their numbers, or how many there are.
        path, label: of a table, the columns of the pictures' paths and of their labels.
        modality: of the inputs, where several could be meant.
        text_column: of a table or of JSON lines, where the texts are.
        length: bytes at which texts are cut; samples at which series are cut or filled up.
        rate: samples a second, to which series are brought.
    """

    preparation: Preparation = AS_THEY_ARE
    skip_bad: bool = False
    classes: str | None = None
    path: str | None = None
    label: str | None = None
    modality: str | None = None
    text_column: str | None = None
    length: int | None = None
    rate: float | None = None

    def text(self) -> str:
        """As it stands in a reference, behind the question mark; empty where nothing is said.

        >>> Reading(preparation=Preparation(size=(8, 8), mode="rgb")).text()
        'size=8x8&mode=rgb'
        """
        how = self.preparation
        words = {
            "size": None if how.size is None else f"{how.size[0]}x{how.size[1]}",
            "crop": None if how.crop == AS_THEY_ARE.crop else how.crop,
            "mode": how.mode,
            "background": None if how.background == AS_THEY_ARE.background else how.background,
            "skip-bad": "yes" if self.skip_bad else None,
            "classes": self.classes,
            "path": self.path,
            "label": self.label,
            "modality": self.modality,
            "text": self.text_column,
            "length": None if self.length is None else str(self.length),
            "rate": None if self.rate is None else f"{self.rate:.12g}",
        }
        return "&".join(f"{key}={quote(value, safe='/.')}" for key, value in words.items() if value is not None)


AS_IT_IS = Reading()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A DATA argument.

    Attributes:
        name: of the set, or its path.
        split: "train" unless said.
        start, stop: of the slice; None: from the beginning, to the end.
    """

    name: str
    split: str = "train"
    start: int | None = None
    stop: int | None = None
    reading: Reading = AS_IT_IS

    def part(self, split: str) -> str:
        """Another part of the same set, read alike, as a DATA argument."""
        return _with_reading(f"{self.name}:{split}", self.reading)


def read_reference(text: str) -> Reference:
    """What a DATA argument says.

    >>> read_reference("photos:val[:9]?size=8x8&skip-bad=yes").reading.skip_bad
    True

    Raises:
        DataError: it is none.
    """
    described = _READING.match(text)
    part = _PART.match(text if described is None else described["part"])
    if part is None:
        raise DataError(f"{text!r} is not NAME, NAME:SPLIT or NAME:SPLIT[a:b]")
    start, stop = (int(number) if number else None for number in (part["start"], part["stop"]))
    reading = AS_IT_IS if described is None else _reading(described["reading"], text)
    return Reference(name=part["name"], split=part["split"] or "train", start=start, stop=stop, reading=reading)


def described(text: str, reading: Reading) -> str:
    """A DATA argument, read as options say; what it says itself stays where these say nothing."""
    if reading == AS_IT_IS:
        return text
    matched = _READING.match(text)
    if matched is None:
        return _with_reading(text, reading)
    own, how = _reading(matched["reading"], text), reading.preparation
    ours = own.preparation
    return _with_reading(
        matched["part"],
        Reading(
            preparation=replace(
                ours,
                size=how.size or ours.size,
                crop=ours.crop if how.crop == AS_THEY_ARE.crop else how.crop,
                mode=how.mode or ours.mode,
                background=ours.background if how.background == AS_THEY_ARE.background else how.background,
            ),
            skip_bad=reading.skip_bad or own.skip_bad,
            classes=reading.classes or own.classes,
            path=reading.path or own.path,
            label=reading.label or own.label,
            modality=reading.modality or own.modality,
            text_column=reading.text_column or own.text_column,
            length=reading.length or own.length,
            rate=reading.rate or own.rate,
        ),
    )


def read_alike(text: str, other: str) -> str:
    """A DATA argument whose pictures are prepared as those of another.

    >>> read_alike("mine:test", "theirs?size=8x8&classes=secret.txt")
    'mine:test?size=8x8'
    """
    read = read_reference(other).reading
    return described(
        text, Reading(preparation=read.preparation, modality=read.modality, length=read.length, rate=read.rate)
    )


def parse_reference(reference: str) -> tuple[str, str, int | None, int | None]:
    """Name, split ("train" unless said) and slice of a DATA argument.

    >>> parse_reference("cifar10:owner[0:500]")
    ('cifar10', 'owner', 0, 500)
    >>> parse_reference("photos")
    ('photos', 'train', None, None)
    """
    read = read_reference(reference)
    return read.name, read.split, read.start, read.stop


def _with_reading(part: str, reading: Reading) -> str:
    text = reading.text()
    return f"{part}?{text}" if text else part


def _reading(text: str, whole: str) -> Reading:
    words: dict[str, str] = {}
    for pair in text.split("&"):
        key, _, value = pair.partition("=")
        if key not in _KEYS or key in words:
            raise DataError(f"{whole!r}: {key} is {'said twice' if key in words else 'none of ' + ', '.join(_KEYS)}")
        words[key] = unquote(value)
    return Reading(
        preparation=Preparation(
            size=None if "size" not in words else _size(words["size"], whole),
            crop=words.get("crop", AS_THEY_ARE.crop),  # type: ignore[arg-type]  # checked by the record
            mode=words.get("mode"),  # type: ignore[arg-type]
            background=words.get("background", AS_THEY_ARE.background),
        ),
        skip_bad=words.get("skip-bad", "no") == "yes",
        classes=words.get("classes"),
        path=words.get("path"),
        label=words.get("label"),
        modality=words.get("modality"),
        text_column=words.get("text"),
        length=None if "length" not in words else _length(words["length"], whole),
        rate=None if "rate" not in words else _rate(words["rate"], whole),
    )


def _length(text: str, whole: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,6}", text):
        raise DataError(f"{whole!r}: length {text!r} is no whole number from 1 to 9999999")
    return int(text)


def _rate(text: str, whole: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) or float(text) == 0:
        raise DataError(f"{whole!r}: rate {text!r} is no number of samples a second")
    return float(text)


def _size(text: str, whole: str) -> tuple[int, int]:
    sides = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if sides is None:
        raise DataError(f"{whole!r}: size {text!r} is not a side such as 224, or HEIGHTxWIDTH")
    return int(sides[1]), int(sides[2] or sides[1])
