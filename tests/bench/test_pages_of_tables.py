"""What `python -m research.tables` writes into a page, and what it leaves."""

from __future__ import annotations

import pytest

from research.tables.__main__ import filled

PAGE = "# Page\n\nAbove.\n\n<!-- one -->\n\n| old |\n\n(old date.)\n\n<!-- two -->\n\n| kept |\n\n## Next\n\nBelow.\n"


def test_a_table_takes_the_place_of_the_one_before_and_leaves_the_rest() -> None:
    assert filled(PAGE, "one", "| new |\n\n(new date.)") == PAGE.replace("old", "new")
    assert filled(PAGE, "two", "| new |") == PAGE.replace("kept", "new")


def test_a_page_without_the_marker_stays() -> None:
    assert filled(PAGE, "three", "| new |") == PAGE


def test_what_somebody_wrote_below_a_table_is_not_lost() -> None:
    with pytest.raises(ValueError, match="below <!-- two --> would be lost"):
        filled(PAGE.replace("| kept |", "| kept |\n\nA remark."), "two", "| new |")
