"""Requests that Amazon Web Services take: Signature Version 4.

Source: AWS Identity and Access Management, User Guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class AwsKey:
    """Whose signature it is, and for which service.

    Attributes:
        token: of a session, of temporary credentials.
    """

    service: str
    region: str
    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def signed_headers(
    key: AwsKey, *, method: str, url: str, body: bytes, headers: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """The headers that a signed request has beside its own.

    Args:
        url: as it is sent.
        headers: that are signed; the host is, too.
        now: the time, with its zone.
    """
    time = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": time} | ({"x-amz-security-token": key.token} if key.token else {})
    signing = {name.lower(): " ".join(value.split()) for name, value in {**headers, **added}.items()}
    signing["host"] = _host(url)
    names = ";".join(sorted(signing))
    parts = urlsplit(url)
    canonical = "\n".join(
        (
            method,
            quote(parts.path or "/", safe="/-._~"),
            _query(parts.query),
            *(f"{name}:{signing[name]}" for name in sorted(signing)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{time[:8]}/{key.region}/{key.service}/aws4_request"
    text = "\n".join((_ALGORITHM, time, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    signature = f"AWS4{key.secret}".encode()
    for step in (*scope.split("/"), text):
        signature = hmac.new(signature, step.encode(), hashlib.sha256).digest()
    credential = f"{_ALGORITHM} Credential={key.key_id}/{scope}, SignedHeaders={names}, Signature={signature.hex()}"
    return {**added, "authorization": credential}


def _host(url: str) -> str:
    """As the client writes it: the port where it is not the usual one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS.get(parts.scheme.lower())) else f"{host}:{parts.port}"


def _query(query: str) -> str:
    pairs = [(quote(name, safe="-._~"), quote(value, safe="-._~")) for name, value in parse_qsl(query, True)]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
