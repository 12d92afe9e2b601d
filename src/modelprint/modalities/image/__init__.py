"""All that is known about images: how they are stored, rounded, mixed, changed on the way, sent, resized and shown.

Images are uint8 (n, channels, height, width) where they are stored, floats in [0, 1] where a model takes them.
Imported by whoever needs an image as such (readers of files, reports); all others ask `IMAGE` as a `Modality`.
"""

from modelprint.modalities.image.modality import IMAGE as IMAGE
