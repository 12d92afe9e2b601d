"""A model tells another number of classes apart than its data have."""

from __future__ import annotations

from modelprint.core.errors import ModelError

LISTED = (
    "where the data lack some of its classes, name all in its order with --classes FILE; where a suspect has others, "
    "say which class each output is with --class-names FILE"
)


class ClassCountError(ModelError):
    """A model tells another number of classes apart than was expected.

    Attributes:
        classes: how many it tells apart.
    """

    def __init__(self, text: str, *, classes: int) -> None:
        super().__init__(text)
        self.classes = classes
