"""All that is known about series and sound: how they are stored, rounded, mixed, changed on the way, sent and shown.

Series are int16 (n, channels, length) where they are stored, floats in [-scale, scale) where a model takes them; the
scale is 1 for sound, and a power of two above the largest value of other series.
Imported by whoever needs a series as such (readers of files, reports); all others ask a `Modality`.
"""

from modelprint.modalities.series.modality import SERIES as SERIES
