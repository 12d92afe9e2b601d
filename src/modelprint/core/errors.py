"""Errors a user can read: each says what was wrong, with the value, and what to do."""

from __future__ import annotations


class ModelprintError(Exception):
    """Base of every error raised on purpose; the command line prints it without a traceback.

    Attributes:
        exit_code: what the command line exits with (1: the user can mend it).
    """

    exit_code = 1


class DataError(ModelprintError):
    """A data set is missing, malformed, or out of range."""


class ModelError(ModelprintError):
    """A model file is missing, refused, or does not fit its architecture."""


class DeviceError(ModelprintError):
    """A device that was asked for is absent, or has too little memory."""


class SuspectError(ModelprintError):
    """A suspect answered wrongly, or not at all."""


class MisfitError(SuspectError):
    """A suspect takes other images, or tells other classes apart, than a fingerprint: they cannot be compared."""


class LabelsOnlyError(SuspectError):
    """Scores were asked for, and the suspect gives labels only."""


class SlowError(ModelprintError):
    """Something took more time than the user allows."""


class UnscorableError(ModelprintError):
    """The answers do not suffice for a score: a verdict on them is inconclusive."""


class FingerprintError(ModelprintError):
    """A fingerprint cannot be made, or does not fit what it is used on."""


class IntegrityError(ModelprintError):
    """Something is not what its hash says: it was changed after it was made."""

    exit_code = 3


class UsageError(ModelprintError):
    """The words of a command do not fit together."""

    exit_code = 2


def first_line(error: BaseException) -> str:
    r"""What an error says, in one line of at most 200 characters, or its kind when it says nothing.

    >>> first_line(ValueError("one\ntwo")), first_line(EOFError())
    ('one', 'EOFError')
    """
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
