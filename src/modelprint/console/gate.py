"""The guard in front of the pages, as ASGI middleware: nothing of a refused request is kept."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response

from modelprint.console.guard import COOKIE, HEADERS, OPEN, Guard, RefusedError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY = "modelprint.body"  # where a request's scope has its counted body


class Gate:
    """Refuses what `Guard` refuses, counts the bytes of bodies, and sets the headers of each answer.

    Args:
        refusal: the answer that says why.
    """

    def __init__(self, app: ASGIApp, guard: Guard, refusal: Callable[[RefusedError, str], Response]) -> None:
        self.app, self.guard, self.refusal = app, guard, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sends = _with_headers(send)
        body = CountedBody(receive, self.guard.most_upload)
        scope[BODY] = body
        try:
            answer = self._checked(scope)
            if answer is None:
                await self.app(scope, body, sends)
                return
        except RefusedError as error:
            answer = self.refusal(error, Headers(scope=scope).get("accept", ""))
            if error.status == 413:
                await body.drained()
        await answer(scope, receive, sends)

    def _checked(self, scope: Scope) -> Response | None:
        """None to hand a request on; where the token is missing, the way to the page that asks for it.

        Raises:
            RefusedError: the request is not answered.
        """
        headers = Headers(scope=scope)
        host, guard = headers.get("host", ""), self.guard
        guard.check_host(host)
        guard.check_origin(scope["method"], headers.get("origin"), headers.get("sec-fetch-site"), host)
        if not scope["path"].startswith(OPEN) and not guard.knows(_cookie(headers), headers.get("authorization")):
            if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
                return RedirectResponse("/login", status_code=303)
            raise RefusedError(401, "this console needs its token: log in, or send it as a bearer token")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > guard.most_upload:
            raise too_large(guard.most_upload)
        return None


class CountedBody:
    """A request's body, up to a number of bytes."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most = receive, most
        self._bytes, self._whole = 0, False

    async def __call__(self) -> Message:
        """The next part.

        Raises:
            RefusedError: the body is too large.
        """
        message = await self._next()
        if self._bytes > self._most:
            raise too_large(self._most)
        return message

    async def drained(self) -> None:
        """Take in the rest, up to as much again, so that the browser reads the answer and not a broken connection."""
        while not self._whole and self._bytes <= 2 * self._most:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        self._whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


def too_large(most: int) -> RefusedError:
    """The refusal of an upload."""
    return RefusedError(413, f"the upload is larger than {most >> 20} MiB: name the file's path, or raise --max-upload")


def _with_headers(send: Send) -> Send:
    async def sends(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sends


def _cookie(headers: Headers) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value
