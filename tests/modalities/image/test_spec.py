"""What images are in a manifest: as before there were other modalities, to the byte."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from modelprint.core.identity import canonical_json
from modelprint.modalities.base import modality_of, read_spec
from modelprint.modalities.image import IMAGE
from modelprint.modalities.image.spec import ImageSpec

BEFORE = {"channels": 3, "height": 32, "width": 24, "class_names": ["cat", "dog"]}


def test_a_spec_of_before_is_one_of_images_and_is_written_as_it_was() -> None:
    spec = read_spec(BEFORE)
    assert isinstance(spec, ImageSpec)
    assert modality_of(spec) is IMAGE
    assert (spec.shape, spec.classes) == ((3, 32, 24), 2)
    assert canonical_json(spec.model_dump(mode="json")) == canonical_json(BEFORE)
    assert spec == IMAGE.spec((3, 32, 24), ("cat", "dog"))
    assert spec == read_spec({**BEFORE, "modality": "image", "version": 1})


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"modality": "smell"}, {"channels": 0}, {"class_names": ["cat"]}, {"depth": 1}],
)
def test_a_spec_that_this_version_does_not_know_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, ValidationError)):
        read_spec({**BEFORE, **change})


def test_its_size_in_words() -> None:
    assert IMAGE.spec((1, 8, 9), ("a", "b")).described == "8 by 9 pixels, 1 channel"
    assert IMAGE.spec((3, 8, 9), ("a", "b")).described == "8 by 9 pixels, 3 channels"
