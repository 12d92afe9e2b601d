"""Lets torchvision be imported where its compiled operators do not load beside this torch: their names are declared.

Classifiers do not use them; what does would fail when it is called.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

_declared: list[torch.library.Library] = []  # a library ends with its object


def declare() -> None:
    """Declare the operators that torchvision registers fakes for, once."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None or _declared or _loads(Path(found.origin).parent):
        return
    text = (Path(found.origin).parent / "_meta_registrations.py").read_text()
    names = sorted(set(re.findall(r'register_meta\("(\w+)"\)|torchvision::(\w+)', text)))
    library = torch.library.Library("torchvision", "DEF")
    for name in sorted({one or other for one, other in names}):
        library.define(f"{name}(Tensor x) -> Tensor")
    _declared.append(library)


def _loads(package: Path) -> bool:
    try:
        torch.ops.load_library(package / "_C.so")
    except OSError:
        return False
    return True
