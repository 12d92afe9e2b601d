"""What children do in the tests of the sandbox."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.sandbox.server import Handler

Arrays = Mapping[str, np.ndarray]


def handler() -> Handler:
    calls = [0]

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        calls[0] += 1
        what = message["do"]
        if what == "double":
            return {"calls": calls[0]}, {name: 2 * array for name, array in arrays.items()}
        if what == "hang":
            while True:
                pass
        if what == "sleep":
            time.sleep(3600)
        if what == "eat":
            data = bytearray()
            while True:
                data += bytes(2**26)
        if what == "eat quietly":  # one request, far above the limit
            return {"size": len(np.ones(2**31, np.float64))}, {}
        if what == "write":
            Path(message["path"]).write_bytes(b"x" * 100)
        if what == "connect":
            socket.create_connection((message["host"], message["port"]), timeout=2).close()
        if what == "place":
            return {"place": str(Path.cwd())}, {}
        if what == "abort":
            os.abort()
        if what == "refuse":
            raise DataError("the data are bad: mend them")
        if what == "raise":
            raise KeyError("a")
        if what == "garbage":
            os.write(message["descriptor"], b"\xff" * 64)
            time.sleep(3600)
        return {"pid": os.getpid()}, {}

    return answer
