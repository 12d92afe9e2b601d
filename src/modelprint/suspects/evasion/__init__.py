"""What a thief does at query time, one file each; each wraps any suspect. All modules that lie here are imported."""

from modelprint.core.registry import import_all
from modelprint.suspects.evasion.base import EVASIONS as EVASIONS
from modelprint.suspects.evasion.base import Evasion as Evasion
from modelprint.suspects.evasion.named import evaded as evaded
from modelprint.suspects.evasion.named import evasions as evasions

import_all(__name__, __path__)
