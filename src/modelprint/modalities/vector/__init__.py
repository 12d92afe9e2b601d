"""All that is known about vectors, the rows of a table: their columns, how they are stored, mixed, sent and shown.

A vector is int32 (n, columns) where it is stored: how many steps each cell lies above the least value of its column,
or which of the listed categories it is. A model takes floats in [0, 1], from the least value of a column to the
largest.
Imported by whoever needs a vector as such (readers of files, networks); all others ask a `Modality`.
"""

from modelprint.modalities.vector.modality import VECTOR as VECTOR
