"""What a DATA argument says of how its pictures are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprint.core.errors import DataError
from modelprint.data.references import AS_IT_IS, Reading, described, read_reference
from modelprint.data.splits import load_data
from modelprint.modalities.image.preparing import Preparation

words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8)
readings = st.builds(
    Reading,
    preparation=st.builds(
        Preparation,
        size=st.tuples(st.integers(1, 999), st.integers(1, 999)),
        crop=st.sampled_from(["none", "center", "pad"]),
        mode=st.sampled_from([None, "rgb", "gray"]),
        background=st.sampled_from(["white", "black", "#123456"]),
    ),
    skip_bad=st.booleans(),
    classes=st.none() | words,
    path=st.none() | words,
    label=st.none() | words,
)


@given(readings, st.sampled_from(["photos", "a b.zip:val", "x.csv:train[3:9]", "odd?name:test"]))
def test_what_is_written_is_read_again(reading: Reading, part: str) -> None:
    plain = read_reference(part)
    read = read_reference(described(part, reading))
    assert read.reading == reading
    assert (read.name, read.split, read.start, read.stop) == (plain.name, plain.split, plain.start, plain.stop)


@pytest.mark.parametrize("text", ["photos", "photos:owner[0:5]", "who?", "what?x=1", "C:\\photos:test"])
def test_others_say_nothing_of_it(text: str) -> None:
    assert read_reference(text).reading == AS_IT_IS


def test_options_stand_over_what_the_text_says() -> None:
    text = described("photos?size=8x8&mode=rgb", Reading(preparation=Preparation(size=(9, 7)), skip_bad=True))
    assert text == "photos?size=9x7&mode=rgb&skip-bad=yes"
    assert read_reference(text).part("holdout") == "photos:holdout?size=9x7&mode=rgb&skip-bad=yes"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x?size=big", "size 'big' is not a side"),
        ("x?size=8&size=9", "size is said twice"),
        ("x?size=8&colour=9", "colour is none of size, crop"),
        ("x?crop=center", "crop center needs a size"),
        ("digits?mode=rgb", "digits: a published set is read as it is: leave mode=rgb out"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        load_data(text)
