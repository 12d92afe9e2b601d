"""Who else would read a token: proxies that the environment names, where nothing is encrypted."""

from __future__ import annotations

import logging
import urllib.request
from ipaddress import ip_address
from urllib.parse import urlsplit

from modelprint.core.errors import SuspectError
from modelprint.core.redaction import TOKEN_VARIABLE, api_secrets, shown_url

logger = logging.getLogger(__name__)


def check_carriers(url: str, *, carried: tuple[str, ...] = (TOKEN_VARIABLE,)) -> None:
    """Nothing, if a token that goes to an address is read on the way by nobody, or by whom the user can tell.

    An https:// address is encrypted beyond a proxy, too. To an http:// address on another machine the token goes in the
    clear, which a warning says.

    Args:
        carried: the environment's variables that go there.

    Raises:
        SuspectError: a proxy would get the token in the clear.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme.lower() != "http" or not any(name in api_secrets() for name in carried):
        return
    if _proxied(host):
        raise SuspectError(
            f"{shown_url(url)}: a proxy that the environment names (HTTP_PROXY or ALL_PROXY) would read the token in "
            f"{', '.join(carried)}: use https://, or name the host in NO_PROXY"
        )
    if not _is_here(host):
        logger.warning("%s: the token goes over the network unencrypted: use https:// if there is one", shown_url(url))


def _proxied(host: str) -> bool:
    proxies = urllib.request.getproxies()  # as httpx reads them
    return bool(proxies.get("http") or proxies.get("all")) and not urllib.request.proxy_bypass(host)


def _is_here(host: str) -> bool:
    """Whether a host is this machine.

    >>> [_is_here(host) for host in ("localhost", "127.0.0.1", "::1", "10.0.0.1", "example.org")]
    [True, True, True, False, False]
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
