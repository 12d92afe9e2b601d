"""Keras on torch and on the CPU, whatever the user's settings say: import this before `keras`, in the child alone.

The fork server imports it once, so that each child has Keras from its start; what Keras would write into the user's
home goes nowhere.
"""

from __future__ import annotations

import os
from contextlib import suppress

os.environ.update(KERAS_BACKEND="torch", KERAS_TORCH_DEVICE="cpu", KERAS_HOME="/dev/null/keras", TQDM_DISABLE="1")
with suppress(ImportError):  # the parent says which extra brings it
    import keras as keras
