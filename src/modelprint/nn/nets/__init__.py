"""Registered networks for inputs that are no images, a module for each modality.

To add one, add a module whose functions `modelprint.nn.architectures.architecture(NAME, modality=...)` decorates: each
takes `inputs`, the spec of the inputs, and returns a network that gives logits for as many classes.
"""

from modelprint.core.registry import import_all

import_all(__name__, __path__)
