"""The routes of the console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Literal

from modelprint.console.console import Console, suspect_of
from modelprint.console.enroll_form import FIELDS
from modelprint.console.gate import BODY, CountedBody, Gate
from modelprint.console.guard import COOKIE, RefusedError
from modelprint.console.pages import Pages
from modelprint.console.work import CheckJob, ScanSettings, packed_fingerprint
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.screening.formats import written

try:
    import python_multipart  # noqa: F401 - forms need it
    from fastapi import APIRouter, FastAPI, Request
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
    from fastapi.staticfiles import StaticFiles
    from starlette.datastructures import FormData, UploadFile
    from starlette.exceptions import HTTPException
except ModuleNotFoundError as missing:
    raise UsageError(
        "the console needs FastAPI, uvicorn and python-multipart: pip install 'modelprint[console]'"
    ) from (missing)

_STATIC = Path(__file__).parent / "static"
_WRONG_TOKEN = 0.5  # seconds that a wrong token waits for its answer
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
_FILES = {"json": "json", "sarif": "sarif", "cyclonedx": "cdx.json", "table": "txt"}
_TYPES = {"json": "application/json", "sarif": "application/sarif+json", "cyclonedx": "application/vnd.cyclonedx+json"}
Form = Literal["json", "sarif", "cyclonedx", "table"]


def create_app(console: Console) -> Gate:
    """The console as an ASGI application, its guard in front; uploads are removed when it ends."""
    pages = Pages(console)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(pages.home)  # fingerprints and templates are read before the first page is asked for
        yield
        await run_in_threadpool(console.end)

    app = FastAPI(title="modelprint", openapi_url=None, lifespan=lifespan)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    for routes in (_home, _fingerprints, _enrollments, _scans, _checks):
        app.include_router(routes(console, pages))

    @app.exception_handler(RefusedError)
    async def refuse(request: Request, error: RefusedError) -> Response:
        body = request.scope.get(BODY)
        if error.status == 413 and isinstance(body, CountedBody):
            await body.drained()
        return _refusal(pages, error, request.headers.get("accept", ""))

    @app.exception_handler(ModelprintError)
    def explain(request: Request, error: ModelprintError) -> Response:
        return _refusal(pages, RefusedError(400, str(error)), request.headers.get("accept", ""))

    @app.exception_handler(HTTPException)
    def explain_http(request: Request, error: HTTPException) -> Response:
        reason = "there is no such page" if error.status_code == 404 else str(error.detail)
        return _refusal(pages, RefusedError(error.status_code, reason), request.headers.get("accept", ""))

    return Gate(app, console.guard, lambda error, accepts: _refusal(pages, error, accepts))


def _home(console: Console, pages: Pages) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)

    @router.get("/")
    def home() -> str:
        return pages.home()

    @router.get("/login")
    def login() -> str:
        return pages.login()

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        async with request.form(max_files=0) as form:
            console.guard.check_csrf(form.get("csrf"))
            token = _word(form, "token")
        if not console.guard.opens(token):
            await asyncio.sleep(_WRONG_TOKEN)
            return HTMLResponse(pages.login(error="That is not the token of this console."), status_code=401)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(COOKIE, console.guard.session, httponly=True, samesite="strict")
        return answer

    return router


def _fingerprints(console: Console, pages: Pages) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)

    @router.post("/fingerprints")
    async def add(request: Request) -> Response:
        async with request.form(max_files=1) as form:
            console.guard.check_csrf(form.get("csrf"))
            files = _files(form, "upload")
            try:
                entry = await run_in_threadpool(
                    console.add,
                    path=_word(form, "path"),
                    upload=files[0] if files else None,
                    name=_word(form, "name"),
                    owner=_word(form, "owner"),
                )
            except ModelprintError as error:
                page = await run_in_threadpool(pages.home, error=str(error))
                return HTMLResponse(page, status_code=400)
        return RedirectResponse(f"/fingerprints/{entry.identity.removeprefix('sha256:')}", status_code=303)

    @router.get("/fingerprints/{digest}")
    def show(digest: str) -> str:
        return pages.fingerprint(console.fingerprint(digest))

    @router.get("/fingerprints/{digest}/zip")
    def save(digest: str) -> Response:
        entry = console.fingerprint(digest).entry
        data = packed_fingerprint(console.registry.load(entry))
        return Response(data, media_type="application/zip", headers=_saved_as("fingerprint.zip"))

    @router.post("/fingerprints/{digest}/remove")
    async def remove(request: Request, digest: str) -> Response:
        async with request.form(max_files=0) as form:
            console.guard.check_csrf(form.get("csrf"))
        shown = await run_in_threadpool(console.fingerprint, digest)
        await run_in_threadpool(console.registry.remove, shown.entry.name)
        return RedirectResponse("/", status_code=303)

    return router


def _enrollments(console: Console, pages: Pages) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)

    @router.get("/enroll")
    def form() -> str:
        return pages.enroll()

    @router.post("/enrollments")
    async def start(request: Request) -> Response:
        async with request.form(max_files=20) as form:
            console.guard.check_csrf(form.get("csrf"))
            words = {name: _word(form, name) for name, value in form.multi_items() if isinstance(value, str)}
            try:
                job = await run_in_threadpool(
                    console.start_enrollment,
                    f"enroll {words.get('submission') or pages.fresh()}",
                    words=words,
                    uploads={name: _files(form, name) for name in FIELDS},
                )
            except ModelprintError as error:
                return HTMLResponse(pages.enroll(error=str(error), words=words), status_code=400)
        return RedirectResponse(f"/enrollments/{job.id}", status_code=303)

    @router.get("/enrollments/{id_}")
    def show(id_: str) -> str:
        return pages.enrollment(console.enrollment(id_))

    return router


def _scans(console: Console, pages: Pages) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)

    @router.post("/scans")
    async def start(request: Request) -> Response:
        async with request.form(max_files=1000) as form:
            console.guard.check_csrf(form.get("csrf"))
            try:
                settings = ScanSettings.parse(
                    access=_word(form, "access") or "weights",
                    method=_word(form, "method") or "holm",
                    alpha=_word(form, "alpha") or "0.05",
                    arch=_word(form, "arch"),
                )
                job = await run_in_threadpool(
                    console.start_scan,
                    f"scan {_word(form, 'submission') or pages.fresh()}",
                    path=_word(form, "path"),
                    uploads=_files(form, "suspects"),
                    settings=settings,
                )
            except ModelprintError as error:
                page = await run_in_threadpool(pages.home, error=str(error))
                return HTMLResponse(page, status_code=400)
        return RedirectResponse(f"/scans/{job.id}", status_code=303)

    @router.get("/scans/{id_}")
    def show(id_: str) -> str:
        return pages.scan(console.scan(id_))

    @router.get("/scans/{id_}/suspects/{place}")
    def suspect(id_: str, place: int) -> str:
        job = console.scan(id_)
        suspect_of(job, place)
        if job.screen is None:
            raise RefusedError(404, "the scan has no result yet")
        return pages.suspect(job, place)

    @router.get("/scans/{id_}/result/{form}")
    def result(id_: str, form: Form) -> Response:
        job = console.scan(id_)
        if job.screen is None:
            raise RefusedError(404, "the scan has no result yet")
        text = written(job.screen, form, entries=job.entries)
        return PlainTextResponse(
            text + "\n", media_type=_TYPES.get(form, "text/plain"), headers=_saved_as(f"scan.{_FILES[form]}")
        )

    @router.post("/scans/{id_}/remove")
    async def remove(request: Request, id_: str) -> Response:
        async with request.form(max_files=0) as form:
            console.guard.check_csrf(form.get("csrf"))
        await run_in_threadpool(console.remove_scan, console.scan(id_))
        return RedirectResponse("/", status_code=303)

    @router.post("/scans/{id_}/suspects/{place}/check")
    async def check(request: Request, id_: str, place: int) -> Response:
        async with request.form(max_files=0) as form:
            console.guard.check_csrf(form.get("csrf"))
            fingerprint = _word(form, "fingerprint")
        job = await run_in_threadpool(console.start_check, console.scan(id_), place, fingerprint)
        return RedirectResponse(f"/checks/{job.id}", status_code=303)

    return router


def _checks(console: Console, pages: Pages) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)

    @router.get("/checks/{id_}")
    def show(id_: str) -> str:
        return pages.check(console.check(id_))

    @router.get("/checks/{id_}/report")
    def report(id_: str) -> Response:
        page = _finished(console.check(id_)).page
        assert page is not None
        return HTMLResponse(page, headers={"Content-Security-Policy": _REPORT_POLICY})

    @router.get("/checks/{id_}/evidence")
    def evidence(id_: str) -> Response:
        data = _finished(console.check(id_)).evidence
        return Response(data, media_type="application/zip", headers=_saved_as("evidence.zip"))

    @router.get("/jobs/{id_}/progress")
    def progress(id_: str, quarter: int = 0) -> str:
        return pages.progress(console.job(id_), spoken=quarter)

    @router.post("/jobs/{id_}/stop")
    async def stop(request: Request, id_: str) -> Response:
        async with request.form(max_files=0) as form:
            console.guard.check_csrf(form.get("csrf"))
        job = console.job(id_)
        job.stop()
        return RedirectResponse(f"/{job.room}/{id_}", status_code=303)

    return router


def _finished(job: CheckJob) -> CheckJob:
    """The job, if it is done.

    Raises:
        RefusedError: it is not.
    """
    if job.state != "done":
        raise RefusedError(404, "the check is not done")
    return job


def _refusal(pages: Pages, error: RefusedError, accepts: str) -> Response:
    """A page for a browser, one line for a program."""
    if "text/html" in accepts:
        return HTMLResponse(pages.error(str(error), error.status), status_code=error.status)
    return PlainTextResponse(f"{error}\n", status_code=error.status)


def _word(form: FormData, name: str) -> str:
    """A field of a form, without the spaces around it."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _files(form: FormData, name: str) -> list[tuple[str, IO[bytes]]]:
    """The uploads of a field; a field that was left empty has none."""
    files = [one for one in form.getlist(name) if isinstance(one, UploadFile)]
    return [(one.filename, one.file) for one in files if one.filename]


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
