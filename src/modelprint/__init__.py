"""Was this model made from mine? Fingerprints of image classifiers, with a stated error rate.

>>> import modelprint
>>> sorted(modelprint.__all__)
['Fingerprint', 'Identification', 'Verdict', 'enroll', 'identify', 'load_data', 'load_model', 'verify']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelprint.core.identification import Identification
    from modelprint.core.verdict import Verdict
    from modelprint.data.splits import load_data
    from modelprint.nn.loading import load_model
    from modelprint.ownership.enroll import enroll
    from modelprint.ownership.fingerprint import Fingerprint
    from modelprint.ownership.identify import identify
    from modelprint.ownership.verify import verify

__version__ = "0.1.0"
__all__ = ["Fingerprint", "Identification", "Verdict", "enroll", "identify", "load_data", "load_model", "verify"]

_HOME = {
    "Fingerprint": "modelprint.ownership.fingerprint",
    "Identification": "modelprint.core.identification",
    "Verdict": "modelprint.core.verdict",
    "enroll": "modelprint.ownership.enroll",
    "identify": "modelprint.ownership.identify",
    "load_data": "modelprint.data.splits",
    "load_model": "modelprint.nn.loading",
    "verify": "modelprint.ownership.verify",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes a second, `import modelprint` should not."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
