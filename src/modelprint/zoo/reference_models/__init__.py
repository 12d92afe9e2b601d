"""Models that an owner has made beside the source: surrogates, reference models and calibration models.

`course` trains or attacks one model after the other, `shadows` says which surrogates and references a scheme learns
from, `calibration` which independent models set the threshold. `ownership` imports this room; it imports `training`,
`attacks` and what lies below. To add a kind of model, add a function that lists its `Task`s.
"""
