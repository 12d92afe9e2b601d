"""The commands that make a fingerprint and its report again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.options import EnrollmentOptions
from modelprint.report.drawing.text import plain_name
from modelprint.report.verdict.cases import Case

_LONGEST_ARGUMENT = 2000
_SETTINGS_A_LINE = 3
_FLAGS = {"value_range": "range"}  # options of model files whose flag has another name


def commands(fingerprint: Fingerprint, case: Case, *, negatives: str | None = None) -> str:
    """What to type to enroll the source and to check a model again; words in capitals stand for files.

    Args:
        case: the model that was checked, or the first of them.
        negatives: the folder of independent models that was given to `verify` in place of the fingerprint's.
    """
    return "\n\n".join(
        " \\\n    ".join(lines) for lines in (_enroll(fingerprint), _verify(fingerprint, case, negatives=negatives))
    )


def _enroll(fingerprint: Fingerprint) -> list[str]:
    manifest = fingerprint.manifest
    options = manifest.enrollment or EnrollmentOptions()
    parameters = _parameters(fingerprint)
    expect = parameters.pop("expect", "")
    settings = [_option("set", f"{key}={_setting(value)}") for key, value in sorted(parameters.items())]
    files = [
        _option("train-data", options.train_data or ("TRAIN_DATA" if manifest.train_data else None)),
        _option("shadow", options.shadows or ("SHADOW_MODELS" if manifest.shadows else None)),
        _option("negatives", options.negatives or ("INDEPENDENT_MODELS" if manifest.calibration else None)),
    ]
    model = [_option(_FLAGS.get(name, name.replace("_", "-")), value) for name, value in sorted(options.model.items())]
    training = [
        _option("recipe", options.recipe),
        *(_option("recipe-set", f"{key}={value}") for key, value in sorted(options.recipe_settings.items())),
        _option("init", options.init),
    ]
    lines = [
        ["modelprint enroll SOURCE", _quoted(manifest.data_name), "--out FINGERPRINT"],
        [
            _option("scheme", manifest.scheme),
            _option("seed", manifest.seed),
            _option("budget", manifest.budget),
            _option("expect", expect or None),
            _option("accuracy", options.accuracy),
            _option("device", options.device),
        ],
        files,
        training,
        model,
        *(settings[i : i + _SETTINGS_A_LINE] for i in range(0, len(settings), _SETTINGS_A_LINE)),
    ]
    return [" ".join(filter(None, line)) for line in lines if any(line)]


def _verify(fingerprint: Fingerprint, case: Case, *, negatives: str | None) -> list[str]:
    capped = case.cap is not None and case.cap < len(fingerprint)
    options = [
        _option("access", case.verdict.access),
        _option("alpha", f"{case.verdict.alpha:g}"),
        _option("budget", case.cap if capped else None),
        _option("accuracy", None if case.verdict.form is None else case.verdict.form.expected),
        _option("negatives", negatives),
    ]
    return ["modelprint verify FINGERPRINT SUSPECT", " ".join([*filter(None, options), "--report report.html"])]


def _parameters(fingerprint: Fingerprint) -> dict[str, Any]:
    """The scheme's hyper-parameters; what an older version did not name stands at the value that it had then."""
    from modelprint.schemes import SCHEMES

    manifest = fingerprint.manifest
    unnamed = SCHEMES[manifest.scheme].before_named if manifest.scheme in SCHEMES else {}
    return {**unnamed, **manifest.parameters}


def _option(name: str, value: object) -> str:
    r"""An option with its value, or several; nothing where there is no value.

    >>> _option("mean", [0.5, 0.25]), _option("bgr", True), _option("arch-args", {"width": 8}), _option("budget", None)
    ('--mean 0.5 0.25', '--bgr', '--arch-args \'{"width": 8}\'', '')
    """
    if value is None or value is False:
        return ""
    if value is True:
        return f"--{name}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"--{name} {' '.join(_quoted(str(one)) for one in value)}"
    return f"--{name} {_quoted(json.dumps(value) if isinstance(value, dict) else str(value))}"


def _quoted(text: str) -> str:
    return shlex.quote(plain_name(text, longest=_LONGEST_ARGUMENT))


def _setting(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)
