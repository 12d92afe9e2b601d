"""What a thief does at query time, one file each; each wraps any suspect."""

from modelprint.suspects.evasion import detector as detector
from modelprint.suspects.evasion import ensemble as ensemble
from modelprint.suspects.evasion import inputs as inputs
from modelprint.suspects.evasion import label_noise as label_noise
from modelprint.suspects.evasion import permutation as permutation
from modelprint.suspects.evasion import rounding as rounding
from modelprint.suspects.evasion import top1 as top1
from modelprint.suspects.evasion.base import EVASIONS as EVASIONS
from modelprint.suspects.evasion.base import Evasion as Evasion
from modelprint.suspects.evasion.named import evaded as evaded
from modelprint.suspects.evasion.named import evasions as evasions
