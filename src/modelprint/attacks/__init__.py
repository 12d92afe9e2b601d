"""Removal and extraction attacks, one file each, after the paper that proposed it.

A module here registers its attack as it is imported, and this package imports all of its modules: to add an attack, add
a file (docs/extending.md). Attacks may import what lies below them (training, perturb, stats, nn, data, core), and are
imported by zoo and what lies above.
"""

from modelprint.attacks.base import ATTACKS as ATTACKS
from modelprint.attacks.make import run_attack as run_attack
from modelprint.core.registry import import_all

import_all(__name__, __path__)
