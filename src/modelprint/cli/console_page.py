"""`modelprint console`: the local web page of a registry."""

from __future__ import annotations

import os
from pathlib import Path

from modelprint.cli.console import out, say
from modelprint.cli.options import ComputeOptions

TOKEN = "MODELPRINT_CONSOLE_TOKEN"  # noqa: S105 - the variable's name


def console(
    registry: Path,
    *,
    port: int = 8321,
    host: str = "127.0.0.1",
    max_upload: int = 1024,
    jobs: int = 1,
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Show a registry as a web page until Ctrl-C: make fingerprints, scan suspects, read reports, export.

    Parameters
    ----------
    registry
        What `modelprint registry init` made.
    port
        0 takes a free one; the address is printed.
    host
        The address to listen on. Any but this machine's own needs a token in MODELPRINT_CONSOLE_TOKEN.
    max_upload
        The most MiB of one upload, of all its files together.
    jobs
        Processes that train the models of a fingerprint which is made here.
    """
    from modelprint.console.app import create_app
    from modelprint.console.console import Console
    from modelprint.console.guard import Guard
    from modelprint.screening.registry import Registry
    from modelprint.suspects.serving import serve

    opened = Registry(registry)
    guard = Guard(host=host, token=os.environ.get(TOKEN) or None, most_upload=max_upload << 20)
    page = Console(registry=opened, guard=guard, jobs=jobs)
    try:
        with compute.computing():
            count = len(page.fingerprints())
            say(f"{opened.folder}: {count} fingerprint{'' if count == 1 else 's'}; Ctrl-C ends the console")
            serve(
                create_app(page), port, host, on_start=lambda address: out.print(address, markup=False), lifespan="on"
            )
    finally:
        page.end()
