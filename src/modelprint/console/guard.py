"""Which requests reach the pages: from the right address, with the token, no larger than allowed; and CSRF tokens."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from modelprint.core.errors import ModelprintError, UsageError

COOKIE = "modelprint_console"
OPEN = ("/login", "/static/")  # what is shown without the token
LEAST_TOKEN = 16
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RefusedError(ModelprintError):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Who may ask for what.

    Attributes:
        host: the address that the console listens on.
        token: that each request needs, as a cookie or a bearer; None: none, on loopback alone.
        most_upload: bytes of a request.
        secret: of this start of the console.
    """

    host: str = "127.0.0.1"
    token: str | None = field(default=None, repr=False)
    most_upload: int = 1 << 30
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def __post_init__(self) -> None:
        if self.token is None and not self.on_loopback:
            raise UsageError(
                f"--host {self.host} lets other machines in, and needs a token: set the environment variable "
                "MODELPRINT_CONSOLE_TOKEN to one, or leave --host out"
            )
        if self.token is not None and len(self.token) < LEAST_TOKEN:
            raise UsageError(
                f"the token in MODELPRINT_CONSOLE_TOKEN has {len(self.token)} characters: take {LEAST_TOKEN} or more, "
                "as `openssl rand -hex 16` makes them"
            )
        if self.most_upload < 1:
            raise UsageError(f"--max-upload must be at least 1 MiB, got {self.most_upload >> 20}")

    @property
    def on_loopback(self) -> bool:
        """Whether this machine alone reaches the console."""
        return _is_loopback(self.host)

    @property
    def csrf(self) -> str:
        """What each form of this console's pages carries."""
        return self._keyed("csrf")

    @property
    def session(self) -> str:
        """The cookie of who has shown the token."""
        return self._keyed(f"session {self.token}")

    def check_host(self, host: str) -> None:
        """Nothing, if a request names this machine; on loopback another name is a page of the internet's trick.

        Raises:
            RefusedError: it does not.
        """
        name = urlsplit(f"//{host}").hostname or ""
        if self.on_loopback and not _is_loopback(name):
            raise RefusedError(421, f"this console answers to 127.0.0.1 and localhost, not to {name!a}")

    def check_origin(self, method: str, origin: str | None, site: str | None, host: str) -> None:
        """Nothing, if a request that changes something comes from this console's own pages, or from no page.

        Raises:
            RefusedError: it comes from another site.
        """
        if method in ("GET", "HEAD"):
            return
        foreign = origin is not None and urlsplit(origin).netloc != host
        if foreign or site in ("cross-site", "same-site"):
            raise RefusedError(403, "the form was sent from another site: use the console's own pages")

    def check_csrf(self, given: object) -> None:
        """Nothing, if a form carries what this console's pages do.

        Raises:
            RefusedError: it does not.
        """
        if not isinstance(given, str) or not _equal(given, self.csrf):
            raise RefusedError(
                403, "the form is of another start of the console: load the page again, and send it anew"
            )

    def knows(self, cookie: str | None, authorization: str | None) -> bool:
        """Whether who asks has shown the token, or needs none."""
        if self.token is None:
            return True
        if cookie is not None and _equal(cookie, self.session):
            return True
        kind, _, bearer = (authorization or "").partition(" ")
        return kind.lower() == "bearer" and self.opens(bearer.strip())

    def opens(self, token: str) -> bool:
        """Whether that is the token."""
        return self.token is not None and _equal(token, self.token)

    def _keyed(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone.

    >>> [_is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
