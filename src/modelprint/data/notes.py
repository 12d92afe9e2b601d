"""What a user should know of a set that was read: one line of the log each, which the command line prints."""

from __future__ import annotations

import logging

from modelprint.core.printable import one_line

_log = logging.getLogger(__name__)


def note(text: str) -> None:
    """Say something of a set; names in it that have line ends stay in the line."""
    _log.warning("%s", one_line(text))
