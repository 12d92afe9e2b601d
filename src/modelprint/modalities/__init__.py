"""What an input is: images, and whatever else classifiers take.

A modality knows how inputs are stored, rounded, mixed, changed on the way, sent and shown; everything above asks it.
Everything but `core` may import this room; it imports `core` only, and no modality imports another.
To add one, add a folder whose `__init__` registers an instance of a subclass of `Modality` in `MODALITIES`, here or in
a package of your own that names it as an entry point of the group `modelprint.modalities` (docs/extending.md).
"""

from modelprint.core.registry import import_all
from modelprint.modalities.base import MODALITIES as MODALITIES

import_all(__name__, __path__)
