"""Texts: how they are stored, checked, mixed, changed on the way, sent and shown.

Everything but `core` may import this room; it imports `core` and its neighbours in `modalities`, no other modality.
To add a change that a text may meet on the way, add a frozen dataclass to `transforms.py` and register it there.
"""

from modelprint.modalities.text.modality import TEXT as TEXT
