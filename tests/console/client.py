"""A browser as far as tests need one: it keeps cookies, and sends forms with what the page gave it."""

from __future__ import annotations

import re
import time
import warnings

import httpx

from modelprint.console.app import create_app
from modelprint.console.console import Console

with warnings.catch_warnings():  # the lowest Starlette names things that the newest anyio has elsewhere
    warnings.simplefilter("ignore", DeprecationWarning)
    from starlette.testclient import TestClient as TestClient

BROWSER = {"accept": "text/html,*/*"}
Files = list[tuple[str, tuple[str, bytes]]]


def client_of(console: Console, *, host: str = "127.0.0.1:8321", **headers: str) -> TestClient:
    """A client of a console, that follows no redirect by itself."""
    return TestClient(
        create_app(console), base_url=f"http://{host}", headers={**BROWSER, **headers}, follow_redirects=False
    )


def csrf_of(page: httpx.Response) -> str:
    """What the forms of a page carry."""
    match = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert match is not None
    return match[1]


def post(client: TestClient, address: str, fields: dict[str, str], files: Files | None = None) -> httpx.Response:
    """Send a form as the first page gives it."""
    data = {"csrf": csrf_of(client.get("/")), **fields}
    # a browser sends a form with files as parts, and one without them, too, where the form says so
    return client.post(address, data=data, files=files or [("none", ("", b""))])


def ended(client: TestClient, place: str, *, patience: float = 60.0) -> str:
    """The page of a job once it has ended."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        page = client.get(place)
        assert page.status_code == 200
        if "hx-get" not in page.text:
            return page.text
        time.sleep(0.02)
    raise AssertionError(f"{place} is not done after {patience} s")
