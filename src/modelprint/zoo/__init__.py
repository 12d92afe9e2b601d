"""Populations of models made by recipes: sources, derived and independent models; `reference_models/` for owners.

Imported by ownership and bench; imports attacks, training and what lies below. A new population is a TOML plan
(docs/bench.md); a new kind of recipe is a record in `recipes`.
"""

from modelprint.zoo.building import Step as Step
from modelprint.zoo.building import adopt as adopt
from modelprint.zoo.building import build as build
from modelprint.zoo.plans import default_folder as default_folder
from modelprint.zoo.plans import plan_names as plan_names
from modelprint.zoo.plans import plan_of as plan_of
from modelprint.zoo.population import ZooModel as ZooModel
from modelprint.zoo.population import load as load
from modelprint.zoo.state import Status as Status
from modelprint.zoo.state import status as status
