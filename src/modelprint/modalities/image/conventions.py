"""The ways in which most image classifiers want their inputs prepared.

ImageNet's mean and spread are those of torchvision's weights; the Caffe form (bytes, blue first, mean taken off) is
that of Keras' ResNet50; CIFAR-10's, MNIST's and Fashion-MNIST's are those of their training images.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelprint.core.convention import Convention

SIDES = (28, 32, 64, 128, 224, 299)  # that networks are made for most
FARTHEST = 8  # times larger or smaller
_BYTES = (0.0, 255.0)
_INVERTED = (1.0, 0.0)
_CAFFE = (123.68, 116.779, 103.939)  # red, green, blue


def conventions(shape: tuple[int, ...]) -> Iterator[Convention]:
    """Conventions for images of a shape (channels, height, width), the usual ones first."""
    channels = shape[0]
    plain = list(_of_colour() if channels == 3 else _of_grey())
    yield from plain
    if channels == 3:
        for one in plain:
            name = f"{one.name}, blue first"
            yield one.model_copy(update={"name": name, "mean": one.mean[::-1], "std": one.std[::-1], "bgr": True})
            if len(set(one.mean)) > 1:  # some take the numbers in red, green, blue all the same
                yield one.model_copy(update={"name": f"{name} but normalised as red first", "bgr": True})
    for one in plain[:2]:
        yield one.model_copy(update={"name": f"{one.name}, light and dark swapped", "value_range": _INVERTED})
    yield Convention(name="0 to 255, light and dark swapped", value_range=_BYTES[::-1])


def resized(shape: tuple[int, ...]) -> Iterator[Convention]:
    """The same at other sizes, for what none of the first fits: costlier to try."""
    first = list(conventions(shape))[:2]
    for side in SIDES:
        if (side, side) != shape[1:] and max(shape[1:]) / FARTHEST <= side <= max(shape[1:]) * FARTHEST:
            for one in first:
                yield one.model_copy(update={"name": f"{one.name}, {side} x {side}", "size": (side, side)})


def _of_colour() -> Iterator[Convention]:
    yield Convention(name="0 to 1")
    yield Convention(name="-1 to 1", mean=(0.5,), std=(0.5,))
    yield Convention(name="0 to 255", value_range=_BYTES)
    yield Convention(name="ImageNet's mean and spread", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    yield Convention(name="CIFAR-10's mean and spread", mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
    yield Convention(name="bytes with ImageNet's mean taken off", mean=_CAFFE, value_range=_BYTES)


def _of_grey() -> Iterator[Convention]:
    yield Convention(name="0 to 1")
    yield Convention(name="-1 to 1", mean=(0.5,), std=(0.5,))
    yield Convention(name="0 to 255", value_range=_BYTES)
    yield Convention(name="MNIST's mean and spread", mean=(0.1307,), std=(0.3081,))
    yield Convention(name="Fashion-MNIST's mean and spread", mean=(0.2860,), std=(0.3530,))
    yield Convention(name="ImageNet's mean and spread, grey", mean=(0.449,), std=(0.226,))
