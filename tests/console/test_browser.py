"""The console in headless Chromium, against the running command; the last result lies in browser.json."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.console.browser import available, chromium, shape
from tests.console.world import ALPHA, World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not available(), reason="no chromium with chromedriver here"),
]
RESULT = Path(__file__).with_name("browser.json")
WRITES = "MODELPRINT_WRITE_RESULTS"  # set: the result is written anew
SUSPECTS = 20


def keep(result: dict[str, Any]) -> None:
    """Write a result beside those of the other test, where that is asked for."""
    if os.environ.get(WRITES):
        before = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
        RESULT.write_text(json.dumps({**before, **result}, indent=2) + "\n")


@pytest.fixture(scope="module")
def address(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("browser")
    shutil.copytree(world.registry, place / "registry")
    code = "import sys; from modelprint.cli.app import main; main(sys.argv[1:])"
    uploads = place / "uploads"
    uploads.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", code, "console", str(place / "registry"), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(uploads), "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            assert list(uploads.glob("modelprint-console-*"))
            process.send_signal(signal.SIGINT)
            process.wait(60)
            assert not list(uploads.glob("modelprint-console-*"))  # the uploads are gone
        finally:
            process.kill()


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("selenium")
    with chromium(tmp_path / "profile") as driver:
        yield driver


def test_a_user_scans_by_keyboard_reads_the_report_and_sees_no_error(address: str, driver: Any, world: World) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def wait(condition: Any) -> Any:
        return WebDriverWait(driver, 120, poll_frequency=0.1).until(condition)

    shape(driver, width=1280, height=900)
    driver.get(address)
    times = []
    with httpx.Client(headers={"accept": "text/html"}) as client:
        for _ in range(20):
            started = time.perf_counter()
            assert client.get(address).status_code == 200
            times.append(time.perf_counter() - started)

    driver.find_element(By.ID, "suspects").send_keys(
        "\n".join(str(world.models / f"{name}.safetensors") for name in ("tuned", "independent", "broken"))
    )
    driver.find_element(By.CSS_SELECTOR, "summary").send_keys(Keys.ENTER)
    alpha = driver.find_element(By.ID, "alpha")
    alpha.clear()
    alpha.send_keys(ALPHA)
    started = time.perf_counter()
    alpha.send_keys(Keys.ENTER)  # sends the form
    wait(lambda d: "/scans/" in d.current_url)
    wait(lambda d: d.find_elements(By.CSS_SELECTOR, ".badge"))
    seconds = time.perf_counter() - started
    verdicts = [one.text for one in driver.find_elements(By.CSS_SELECTOR, "td[data-label=Verdict]")]
    assert verdicts == ["Derived", "Not shown", "Cannot be read"]
    assert not driver.find_elements(By.ID, "stop-form")
    spoken = driver.find_element(By.ID, "announcement").get_attribute("textContent")
    assert spoken in ("", "The scan is done: 3 suspects, 1 derived, 1 not shown, 1 cannot be read.")

    driver.find_element(By.LINK_TEXT, "tuned.safetensors").send_keys(Keys.ENTER)
    wait(lambda d: "/suspects/0" in d.current_url)
    driver.find_element(By.CSS_SELECTOR, "td.action button").send_keys(Keys.ENTER)
    wait(lambda d: d.find_elements(By.LINK_TEXT, "Open the full report"))
    shape(driver, width=390, height=844, dark=True)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
    assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    driver.get(driver.find_element(By.LINK_TEXT, "Open the full report").get_attribute("href"))
    assert "made from the source model?" in driver.find_element(By.TAG_NAME, "h1").text
    for path in ("/", "/nothing"):
        driver.get(address + path)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
    errors = [line["message"] for line in driver.get_log("browser") if "/nothing" not in line["message"]]
    assert errors == []

    result: dict[str, Any] = {
        "browser": driver.capabilities["browserVersion"],
        "verdicts": verdicts,
        "first_page_ms": {
            "n": len(times),
            "median": round(1000 * sorted(times)[len(times) // 2], 1),
            "most": round(1000 * max(times), 1),
        },
        "scan_seconds": round(seconds, 1),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    keep(result)
    assert json.loads(RESULT.read_text())["verdicts"] == verdicts
    assert result["first_page_ms"]["median"] <= 200


def test_a_user_makes_a_fingerprint_by_keyboard(address: str, driver: Any, world: World) -> None:
    """From the first page to the fingerprint's own; progress is seen."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def wait(condition: Any) -> Any:
        return WebDriverWait(driver, 180, poll_frequency=0.1).until(condition)

    shape(driver, width=390, height=844)
    driver.get(address)
    driver.find_element(By.LINK_TEXT, "Make the fingerprint of a model").send_keys(Keys.ENTER)
    wait(lambda d: d.current_url.endswith("/enroll"))
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
    driver.find_element(By.ID, "model").send_keys(str(world.models / "independent.safetensors"))
    for field, word in {
        "data-path": "digits:queries",
        "training-path": "digits:owner",
        "independent": "10",
        "name": "by keyboard",
    }.items():
        driver.find_element(By.ID, field).clear()
        driver.find_element(By.ID, field).send_keys(word)
    driver.find_element(By.ID, "name").send_keys(Keys.ENTER)
    wait(lambda d: "/enrollments/" in d.current_url)
    stages = set()

    def finished(d: Any) -> Any:
        for label in d.find_elements(By.CSS_SELECTOR, "#how-far label"):
            with contextlib.suppress(Exception):  # the label is swapped for the next
                stages.add(label.text)
        return d.find_elements(By.LINK_TEXT, "See what it holds")

    started = time.perf_counter()
    wait(finished)[0].send_keys(Keys.ENTER)
    seconds = time.perf_counter() - started
    assert any("calibration models" in one for one in stages), stages
    wait(lambda d: "/fingerprints/" in d.current_url)
    assert driver.find_element(By.TAG_NAME, "h1").text == "by keyboard"
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
    assert [line["message"] for line in driver.get_log("browser")] == []
    keep({"enrolled": {"independent": 10, "seconds": round(seconds, 1)}})


def test_progress_comes_at_least_once_a_second(address: str, driver: Any, world: World, tmp_path: Path) -> None:
    """The page's answers, as the browser timed them, while a folder of models is scanned."""
    from selenium.webdriver.common.by import By

    many = tmp_path / "many"
    many.mkdir()
    with safe_open(world.models / "independent.safetensors", "numpy") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    for number in range(SUSPECTS):
        changed = {name: np.asarray(value * (1 + 1e-3 * number), value.dtype) for name, value in tensors.items()}
        save_file(changed, many / f"{number}.safetensors", metadata)
    driver.get(address)
    driver.find_element(By.ID, "path").send_keys(str(many))
    driver.find_element(By.ID, "path").submit()
    until = time.monotonic() + 120
    while not driver.find_elements(By.CSS_SELECTOR, ".badge") and time.monotonic() < until:
        time.sleep(0.1)
    polls = driver.execute_script(
        "return performance.getEntriesByType('resource')"
        ".filter(one => one.name.includes('/progress')).map(one => one.responseEnd)"
    )
    gaps = [round(later - earlier) for earlier, later in pairwise(polls)]
    assert len(driver.find_elements(By.CSS_SELECTOR, "td[data-label=Verdict]")) == SUSPECTS
    assert len(polls) >= 3
    keep(
        {
            "progress_ms": {
                "suspects": SUSPECTS,
                "n": len(gaps),
                "median": sorted(gaps)[len(gaps) // 2],
                "most": max(gaps),
            }
        }
    )
    assert all(gap <= 1000 for gap in gaps), gaps


def test_axe_finds_no_barrier(address: str, driver: Any, world: World) -> None:
    """axe-core's rules of WCAG 2.1 A and AA, on each page, light on a desktop and dark on a phone."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    package = pytest.importorskip("axe_playwright_python", reason="needs the file axe.min.js of that package")
    axe = (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")
    driver.get(address)
    driver.find_element(By.ID, "suspects").send_keys(str(world.models / "tuned.safetensors"))
    driver.find_element(By.ID, "suspects").submit()
    WebDriverWait(driver, 120).until(lambda d: d.find_elements(By.CSS_SELECTOR, ".badge"))
    scan = driver.current_url
    barriers: dict[str, list[str]] = {}
    enroll = f"{address}/enroll"
    for name, path in {
        "home": address,
        "enroll": enroll,
        "scan": scan,
        "suspect": f"{scan.rstrip('/')}/suspects/0",
    }.items():
        for dark in (False, True):
            shape(driver, width=390 if dark else 1280, height=844, dark=dark)
            driver.get(path)
            driver.execute_script(axe)
            found = driver.execute_async_script(
                "const done = arguments[arguments.length - 1];"
                "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(done)"
            )
            assert len(found["passes"]) >= 10  # the rules did run
            barriers[f"{name}, {'dark' if dark else 'light'}"] = [
                f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found["violations"]
            ]
    keep({"axe": {"pages": len(barriers), "barriers": sum(map(len, barriers.values()))}})
    assert not any(barriers.values()), barriers
