"""What is asked, and by which scheme: the scheme of a fingerprint, and a suspect of any form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from modelprint.core.access import Access
from modelprint.core.devices import resolve_device
from modelprint.core.errors import (
    FingerprintError,
    ModelprintError,
    first_line,
)
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.nn.loading import LoadedModel, of_module
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.parts import part_of
from modelprint.schemes import SCHEMES
from modelprint.schemes.auto import Auto
from modelprint.schemes.base import Scheme
from modelprint.suspects.interpret import class_index
from modelprint.suspects.local import CallableSuspect, TorchSuspect
from modelprint.suspects.open import SuspectOptions, open_suspect
from modelprint.suspects.options import AskedInputs

AnySuspect = str | Path | Suspect | LoadedModel | nn.Module | Callable[[np.ndarray], np.ndarray]


def scheme_of(fingerprint: Fingerprint) -> Scheme:
    """The scheme a fingerprint was made by, with its hyper-parameters.

    Raises:
        FingerprintError: this version does not know the scheme or its parameters.
    """
    if fingerprint.manifest.scheme not in SCHEMES:
        raise FingerprintError(
            f"the fingerprint is of scheme {fingerprint.manifest.scheme!r}, which is not known here: install the "
            f"package that brings it; known are {', '.join(SCHEMES)}"
        )
    try:
        scheme = SCHEMES[fingerprint.manifest.scheme]
        return scheme(**{**scheme.before_named, **fingerprint.manifest.parameters})
    except (TypeError, ValueError) as error:
        raise FingerprintError(
            f"the fingerprint's {fingerprint.manifest.scheme} parameters do not fit this version: {error}"
        ) from error


def level_of(scheme: Scheme, access: str | Access | None) -> Access:
    """The most that is used of a suspect; `access`: what the user allows, None: what the scheme reads."""
    if access is None:
        return Access.WEIGHTS if scheme.parts else scheme.needs.suspect
    return Access.parse(access) if isinstance(access, str) else access


def rehearsed(scheme: Scheme, fingerprint: Fingerprint) -> None:
    """Nothing, if a scheme can work with a fingerprint's tensors: it asks, and scores the source's own answers.

    Raises:
        FingerprintError: it cannot; the tensors are another scheme's, or make no sense.
    """
    if isinstance(scheme, Auto):
        try:
            views = {level: part_of(fingerprint, scheme, level) for level in scheme.parts}
        except Exception as error:
            raise FingerprintError(_not_its_own(scheme, error)) from error
        for level, view in views.items():
            rehearsed(scheme.parts[level], view)
        return
    state, source, total = fingerprint.state, fingerprint.source, len(fingerprint)
    unheard = Answers(labels=np.full(total, UNANSWERED, dtype=np.int64))
    try:
        asker = scheme.asker(state)
        batch = np.asarray(asker.next(unheard, np.zeros(total, dtype=bool)))
        if not (0 <= asker.total <= total and batch.ndim == 1 and (batch < total).all() and (batch >= 0).all()):
            raise ValueError(f"{asker.total} of {total} queries would be asked")
        for answers in (source, *fingerprint.calibration[:1]):
            score = scheme.score(state, source, answers)
            scheme.details(state, source, answers)
            if not np.isfinite(score):
                raise ValueError(f"the score of the source's own answers is {score}")
    except ModelprintError:
        return  # such as too few answers: said where it matters
    except Exception as error:  # whatever a scheme makes of arrays that are not its own
        raise FingerprintError(_not_its_own(scheme, error)) from error


def _not_its_own(scheme: Scheme, error: Exception) -> str:
    return (
        f"the fingerprint's tensors are none of scheme {scheme.name} ({type(error).__name__}: {first_line(error)}): it "
        "was put together by hand, or damaged before it was hashed"
    )


def opened(
    suspect: AnySuspect,
    fingerprint: Fingerprint,
    options: SuspectOptions | None = None,
    *,
    asked_by: str | None = None,
    also: Sequence[Fingerprint] = (),
) -> Suspect:
    """A suspect of any form, behind the one protocol.

    Args:
        asked_by: who asks, if not this fingerprint alone; `also`: the others that do.
    """
    needs, modality = fingerprint.manifest.input, fingerprint.modality
    if isinstance(suspect, Suspect):
        return suspect
    chosen = replace(
        options or SuspectOptions(),
        class_names=needs.class_names,
        modality=modality,
        input_shape=needs.shape,
        fingerprint=asked_by or fingerprint.identity,
        asked=lambda: [asked_of(one) for one in (fingerprint, *also)],
    )
    if isinstance(suspect, LoadedModel | nn.Module):
        model = suspect if isinstance(suspect, LoadedModel) else of_module(suspect)
        if options is not None and options.device is not None:
            model.module.to(resolve_device(options.device))
        return TorchSuspect(
            model.module,
            identity=model.identity,
            outputs=class_index(chosen).outputs,
            modality=modality,
            notes=model.notes,
            takes=None if model.spec is None or model.spec.input is None else model.spec.modality,
        )
    if callable(suspect):
        return CallableSuspect(suspect, index=class_index(chosen), modality=modality)
    return open_suspect(str(suspect), chosen)


def asked_of(fingerprint: Fingerprint) -> AskedInputs:
    """What a fingerprint asks, by SHA-256: its queries, then its plain inputs that are none."""
    hashes, plain = fingerprint.modality.hashes, fingerprint.plain
    return AskedInputs(
        queries=tuple(hashes(fingerprint.queries)), further=() if plain is None else tuple(hashes(plain.stored))
    )


NOTE = " Note: "  # in a verdict's message, before what was seen of the suspect and no recorded answer shows
