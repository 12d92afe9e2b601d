"""Fingerprinting schemes, one file each, after the paper that proposed it."""

from modelprint.schemes import adv_tra as adv_tra
from modelprint.schemes import controls as controls
from modelprint.schemes import uap as uap
from modelprint.schemes.base import SCHEMES as SCHEMES
