"""Evasions by name, with their strength, one behind the other: "jpeg:quality=30+flip"."""

from __future__ import annotations

from modelprint.core.errors import UsageError
from modelprint.core.settings import with_settings
from modelprint.core.suspect import Suspect
from modelprint.modalities.base import MODALITIES, Modality
from modelprint.modalities.image import IMAGE
from modelprint.suspects.evasion.base import EVASIONS, Evasion
from modelprint.suspects.evasion.inputs import ChangedInputs


def evasions(text: str, *, seed: int = 0, modality: Modality | None = None) -> tuple[Evasion, ...]:
    """What a text names, the one nearest to the model first.

    >>> [one.recipe() for one in evasions("bit-depth:bits=2+top-1")]
    [{'name': 'BitDepth', 'seed': 0, 'bits': 2}, {'name': 'top-1', 'seed': 0}]

    Args:
        modality: of the inputs that transforms change; None: the first that has one of the name, images before others.

    Raises:
        UsageError: an unknown name or setting; the message lists those that there are.
    """
    return tuple(_one(part.strip(), seed, modality) for part in text.split("+"))


def evaded(suspect: Suspect, text: str, *, seed: int = 0, partner: Suspect | None = None) -> Suspect:
    """A suspect behind evasions, the first one named nearest to it.

    Args:
        partner: an independent model, for the ensemble.

    Raises:
        UsageError: an unknown name or setting, or no partner where one is needed.
    """
    own = suspect.modality
    for evasion in evasions(text, seed=seed, modality=own if isinstance(own, Modality) else None):
        suspect = evasion.wrap(suspect, partner)
    return suspect


def _one(text: str, seed: int, modality: Modality | None) -> Evasion:
    name, _, rest = text.partition(":")
    settings: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"evasion {text!r}: write its settings as name:key=value,key=value")
        settings[key.strip()] = value.strip()
    others = (MODALITIES[other] for other in MODALITIES if other != IMAGE.name)
    known = [one.transforms for one in ([IMAGE, *others] if modality is None else [modality])]
    for transforms in known:
        if name in transforms:
            transform = with_settings(transforms[name](), settings, who=f"evasion {name}")
            return ChangedInputs(transform=transform, seed=seed)
    if name not in EVASIONS:
        names = dict.fromkeys(one for transforms in known for one in transforms)
        raise UsageError(f"unknown evasion {name!r}: use one of {', '.join((*names, *EVASIONS))}")
    return with_settings(EVASIONS[name](seed=seed), settings, who=f"evasion {name}")
