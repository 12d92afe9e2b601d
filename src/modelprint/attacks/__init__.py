"""Removal and extraction attacks, one file each, after the paper that proposed it."""

from modelprint.attacks import extract as extract
from modelprint.attacks import finetune as finetune
from modelprint.attacks import prune as prune
from modelprint.attacks.base import ATTACKS as ATTACKS
from modelprint.attacks.make import run_attack as run_attack
