"""What a folder's models.toml may name: files of that folder, and nothing elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint.core.errors import ModelError
from modelprint.nn.models_file import read_models_file


@pytest.mark.parametrize("key", ["mapping", "class_names"])
@pytest.mark.parametrize("value", ["../elsewhere.toml", "/etc/passwd", "a/../../b.toml", ""])
def test_files_elsewhere_are_refused(key: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(f'[models.m]\nurl = "https://api.example"\n{key} = "{value}"\n')
    with pytest.raises(ModelError, match=rf"models\.toml: models\.m\.{key}: .*leads out of the folder"):
        read_models_file(tmp_path)


def test_files_of_the_folder_are_taken(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text('[models.m]\nurl = "https://api.example"\nmapping = "apis/m.toml"\n')
    assert read_models_file(tmp_path).models["m"].mapping == "apis/m.toml"


@pytest.mark.parametrize("name", ["../m.safetensors", "/dev/null"])
def test_models_elsewhere_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path.parent / "m.safetensors").touch()
    (tmp_path / "models.toml").write_text(f'[models."{name}"]\nkind = "SAST"\n')
    with pytest.raises(ModelError, match=r"which .* does not hold"):
        read_models_file(tmp_path)
