"""Commands do not load libraries that they do not use: torch alone takes most of the time until they begin."""

from __future__ import annotations

import subprocess
import sys

LOADED_LATE = ("scipy.stats", "scipy.optimize", "scipy.sparse", "scipy.ndimage", "sklearn", "altair", "httpx", "pooch")


def test_checking_and_enrolling_begin_without_what_few_of_them_need() -> None:
    code = (
        "import sys\n"
        "from scipy import special\n"
        "before = set(sys.modules)\n"  # older versions of scipy load more themselves
        "import modelprint.ownership.enroll, modelprint.ownership.verify\n"
        "from modelprint.data.splits import load_data\n"
        "load_data('digits:queries')\n"
        f"print([name for name in {LOADED_LATE!r} if name in sys.modules.keys() - before])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_help_begins_without_torch() -> None:
    code = (
        "import sys\n"
        "from modelprint.cli.app import run\n"
        "run(['verify', '--help'])\n"
        "print([name for name in ('torch', 'scipy') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "[]"
