"""What the form of an enrollment says: settings, where model and data lie, and the order that comes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modelprint.console.uploads import Store, Upload
from modelprint.console.work import checked_arch
from modelprint.core.errors import UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.data.references import read_reference
from modelprint.data.sets import NAMED_SETS
from modelprint.data.splits import load_data
from modelprint.schemes import SCHEMES
from modelprint.schemes.auto import Auto

FIELDS = {
    "model": "model",
    "data": "data that the model was not trained on",
    "training": "training data",
    "init": "public checkpoint",
}
_NEEDED = ("model", "data")
_PART = re.compile(r"(?:[a-z]+)?(?:\[\d*:\d*\])?")
_MOST_MODELS = 1000
_OF_TRANSFORMERS = "hf:"


@dataclass(frozen=True, kw_only=True)
class EnrollSettings:
    """What the form of an enrollment says, beside the files.

    Attributes:
        scheme: registered.
        independent: how many independent models are trained to calibrate the verdict.
        shadows: how many surrogates, and as many reference models, are trained.
        from_scratch: whether the owner declares that the model started from no checkpoint.
        accuracy: that the model is known to have; None: not said.
        arch: of weights that do not say what they are; a name alone, never code.
    """

    scheme: str = Auto.name
    independent: int = 0
    shadows: int = 0
    from_scratch: bool = False
    accuracy: float | None = None
    arch: str | None = None

    @classmethod
    def parse(cls, words: Mapping[str, str]) -> EnrollSettings:
        """The settings of a form's fields.

        Raises:
            UsageError: one is none that the console takes.
        """
        scheme = words.get("scheme") or Auto.name
        if scheme not in schemes():
            raise UsageError(f"{scheme!a} is no scheme: it is one of {', '.join(schemes())}")
        return cls(
            scheme=scheme,
            independent=_count(words.get("independent", ""), "independent models"),
            shadows=_count(words.get("shadows", ""), "shadow models of each sort"),
            from_scratch=bool(words.get("from_scratch")),
            accuracy=_share(words.get("accuracy", "")),
            arch=checked_arch(words.get("arch", "")),
        )

    def check(self, *, trains: bool, init: bool) -> None:
        """Nothing, if these settings fit the files.

        Args:
            trains: whether training data were given.
            init: whether a public checkpoint was.

        Raises:
            UsageError: they do not.
        """
        if not trains and (self.independent or self.shadows):
            raise UsageError(
                "independent and shadow models are trained on the model's training data: give these data, or let 0 be "
                "trained"
            )
        if self.from_scratch and init:
            raise UsageError("either the model started from a public checkpoint, or from none: say one of them")


def schemes() -> dict[str, str]:
    """The schemes that a form offers, with their titles; the default first."""
    names = sorted((name for name in SCHEMES if SCHEMES[name].control is None), key=_default_first)
    return {name: SCHEMES[name].title for name in names}


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """A data set.

    Attributes:
        reference: where it lies, as `load_data` takes it; uploads lie below the enrollment's private folder.
        name: what the fingerprint calls it.
    """

    reference: str
    name: str

    @classmethod
    def of(cls, reference: str, *, part: str = "", name: str | None = None) -> DataSource:
        """A data set, or a part of it.

        Args:
            part: "test", "train[0:1000]"; the whole training part where empty.
            name: without the part; the reference itself unless given.

        Raises:
            UsageError: there is no such form of a part.
        """
        if not _PART.fullmatch(part):
            raise UsageError(f"{part!a} is no part of a data set: write test, or train[0:1000]")
        end = "" if not part else part if part.startswith("[") else f":{part}"
        return cls(reference=f"{reference}{end}", name=f"{name or reference}{end}")

    @classmethod
    def at(cls, text: str, *, part: str = "") -> DataSource:
        """A data set of this machine, as the command line names it.

        Raises:
            UsageError: nothing is there, or the part is said twice, or is none.
        """
        asked = read_reference(text)
        place = text if asked.name in NAMED_SETS else f"{_existing(asked.name)}{text[len(asked.name) :]}"
        if part and text != asked.name:
            raise UsageError(f"{text!a} says a part already: leave the part out")
        return cls.of(place, part=part, name=text)

    def load(self) -> LabelledSet:
        """Its inputs and labels."""
        return replace(load_data(self.reference), name=self.name)


def model_at(path: str) -> str:
    """The whole path of a model of this machine; a folder of Hugging Face may be named with hf: before it.

    Raises:
        UsageError: nothing is there, or it is a program.
    """
    if path.lower().endswith(".py"):
        raise UsageError(f"{path} is a program: the console runs none. Export the model, for example as ONNX")
    folder = path.removeprefix(_OF_TRANSFORMERS)
    return f"{_OF_TRANSFORMERS if folder != path else ''}{_existing(folder)}"


def _existing(path: str) -> Path:
    place = Path(path).expanduser().resolve()
    if not place.exists():
        raise UsageError(f"{path}: nothing of this name is on this machine")
    return place


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be made of what.

    Attributes:
        folder: the private one, in which uploads lie and the fingerprint is written.
        model: a path; relative to the folder where it was uploaded.
        data: that the model was not trained on.
        training: that it was trained on.
        init: the path of the public checkpoint that it started from.
        jobs: processes that train models.
    """

    folder: Path
    model: str
    data: DataSource
    training: DataSource | None
    init: str | None
    settings: EnrollSettings
    jobs: int = 1

    @classmethod
    def of_form(
        cls,
        words: Mapping[str, str],
        uploads: Mapping[str, Sequence[Upload]],
        *,
        settings: EnrollSettings,
        folder: Path,
        store: Store,
        jobs: int,
    ) -> Order:
        """The order of a form that `check_fields` let pass; its uploads are kept in the folder.

        Raises:
            UsageError: a path or an upload is none of its kind.
            ModelprintError: the disk is full.
        """

        def model(field: str) -> str | None:
            if files := uploads.get(field):
                return f"{field}/{store.model(folder / field, files)}"
            path = words.get(f"{field}_path")
            return model_at(path) if path else None

        def data(field: str) -> DataSource | None:
            part = words.get(f"{field}_part", "")
            if files := uploads.get(field):
                name = store.data(folder / field, files[0])
                return DataSource.of(f"{field}/{name}", part=part, name=name)
            path = words.get(f"{field}_path")
            return DataSource.at(path, part=part) if path else None

        source, seeds = model("model"), data("data")
        assert source is not None
        assert seeds is not None
        return cls(
            folder=folder,
            model=source,
            data=seeds,
            training=data("training"),
            init=model("init"),
            settings=settings,
            jobs=jobs,
        )


def check_fields(words: Mapping[str, str], uploads: Mapping[str, Sequence[Upload]], settings: EnrollSettings) -> None:
    """Nothing, if what is needed was given, in one way each, and fits the settings.

    Raises:
        UsageError: it was not, or does not.
    """
    filled = set()
    for field, what in FIELDS.items():
        by_path, by_upload = bool(words.get(f"{field}_path")), bool(uploads.get(field))
        if by_path and by_upload:
            raise UsageError(f"{what}: give either an upload or a path")
        if by_path or by_upload:
            filled.add(field)
    for field in _NEEDED:
        if field not in filled:
            raise UsageError(f"no {FIELDS[field]} given: choose a file, or write a path")
    settings.check(trains="training" in filled, init="init" in filled)


def _default_first(name: str) -> tuple[bool, str]:
    return name != Auto.name, name


def _count(word: str, what: str) -> int:
    if not word:
        return 0
    if not word.isdecimal() or int(word) > _MOST_MODELS:
        raise UsageError(f"{what}: a whole number from 0 to {_MOST_MODELS:,} is expected, got {word!a}")
    return int(word)


def _share(word: str) -> float | None:
    if not word:
        return None
    try:
        share = float(word)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise UsageError(f"the accuracy is a share such as 0.97, got {word!a}")
    return share
