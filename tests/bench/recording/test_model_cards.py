"""What is read of the front matter of model cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint.bench.recording.model_cards import front_matter


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("---\nlicense: apache-2.0\n---\n", {"license": "apache-2.0"}),
        ("---\r\nlicense: 'cc by 4.0' # said\r\n---\r\n", {"license": "cc by 4.0"}),
        ("---\nbase_model:\n- timm/resnet18\n- other/one\n---\n", {"base_model": "timm/resnet18, other/one"}),
        ("---\nbase_model: [a/b]\nmodel-index:\n- name: x\n  results: []\n---\n", {"base_model": "a/b"}),
        ("---\nlicense:\n---\nlicense: mit\n", {}),
        ("license: mit\n", {}),
        ("", {}),
        ("---\nlicense: " + "x" * 500, {"license": "x" * 200}),
    ],
)
def test_keys_with_values(tmp_path: Path, text: str, values: dict[str, str]) -> None:
    (tmp_path / "README.md").write_bytes(text.encode())
    assert front_matter(tmp_path / "README.md") == values


def test_no_card_says_nothing(tmp_path: Path) -> None:
    assert front_matter(tmp_path / "README.md") == {}
    assert front_matter(tmp_path) == {}
