"""Readers of sets that are no pictures: one file for each modality, which registers what it can read.

To add one, add a file here that registers a `SetReader` in `READERS`; a package of your own does so in the module that
its entry point of the group `modelprint.modalities` names.
"""

from modelprint.core.registry import import_all
from modelprint.data.readers.base import READERS as READERS
from modelprint.data.readers.base import SetReader as SetReader
from modelprint.data.readers.base import reader_of as reader_of

import_all(__name__, __path__)
