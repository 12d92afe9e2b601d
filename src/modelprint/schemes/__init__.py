"""Fingerprinting schemes, one file each, after the paper that proposed it.

A module here registers its scheme as it is imported, and this package imports all of its modules: to add a scheme, add
a file (docs/extending.md). Schemes may import what lies below them (training, perturb, stats, nn, data, core), and are
imported by zoo and what lies above.
"""

from modelprint.core.registry import import_all
from modelprint.schemes.base import SCHEMES as SCHEMES

import_all(__name__, __path__)
