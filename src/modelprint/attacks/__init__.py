"""Removal and extraction attacks, one file each, after the paper that proposed it."""

from modelprint.attacks import adversarial as adversarial
from modelprint.attacks import chain as chain
from modelprint.attacks import data_free as data_free
from modelprint.attacks import extract as extract
from modelprint.attacks import extract_adversarial as extract_adversarial
from modelprint.attacks import fineprune as fineprune
from modelprint.attacks import finetune as finetune
from modelprint.attacks import jbda as jbda
from modelprint.attacks import knockoff as knockoff
from modelprint.attacks import noise as noise
from modelprint.attacks import permute as permute
from modelprint.attacks import prune as prune
from modelprint.attacks import quantise as quantise
from modelprint.attacks import removalnet as removalnet
from modelprint.attacks import transfer as transfer
from modelprint.attacks.base import ATTACKS as ATTACKS
from modelprint.attacks.make import run_attack as run_attack
