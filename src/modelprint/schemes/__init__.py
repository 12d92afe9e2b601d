"""Fingerprinting schemes, one file each, after the paper that proposed it."""

from modelprint.schemes import adv_tra as adv_tra
from modelprint.schemes import akh as akh
from modelprint.schemes import cae as cae
from modelprint.schemes import contrast as contrast
from modelprint.schemes import controls as controls
from modelprint.schemes import cort as cort
from modelprint.schemes import fbi as fbi
from modelprint.schemes import ipguard as ipguard
from modelprint.schemes import sac as sac
from modelprint.schemes import uap as uap
from modelprint.schemes.base import SCHEMES as SCHEMES
