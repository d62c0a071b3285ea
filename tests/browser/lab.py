"""A real JupyterLab on the notebooks and a real Chromium before it, both cut off from every network."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from clv_helpers.run.lab import CONFIG
from clv_helpers.run.notebooks import NOTEBOOKS

QUIET_CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]  # fmt: skip


@contextlib.contextmanager
def browser(executable: str) -> Iterator[Browser]:
    """Headless Chromium with a profile of its own, which can reach 127.0.0.1 and nothing else."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=QUIET_CHROMIUM)
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def driven(executable: str, file: Path, face: Any, ready: str, **viewport: int) -> Iterator[Page]:
    """A page whose `act` is that of a composer or builder, once it is drawn; at the end nothing was wrong in it."""

    def act(message: str) -> str:
        face.act(**json.loads(message))
        return json.dumps(face.view.state)

    with browser(executable) as started:
        page = started.new_context(viewport=viewport).new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.expose_function("act", act)
        page.goto(file.as_uri())
        page.wait_for_selector(ready, timeout=60_000)
        yield page
        assert wrong == []


# What has the focus: its name as a screen reader says it, and whether one sees that it has it.
FOCUSED = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect();
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  const name = at.getAttribute("aria-label") || at.labels?.[0]?.innerText || at.innerText || "";
  const isSeen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && box.width > 0;
  const isWithin = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return [name.trim().split("\\n")[0], at === document.body || (isSeen && isWithin)];
}"""


def tab_to(page: Page, name: str, key: str = "Tab", most: int = 60) -> None:
    """On by the keyboard until this has the focus; on the way each that has it is seen to have it."""
    passed = []
    for _ in range(most):
        page.keyboard.press(key)
        at, is_seen = page.evaluate(FOCUSED)
        assert is_seen, f"nobody sees that {at!r} has the focus"
        if at == name:
            return
        passed.append(at)
    raise AssertionError(f"{name!r} is not reached by {key}: {passed}")


@contextlib.contextmanager
def jupyterlab(home: Path, notebooks: Path = NOTEBOOKS) -> Iterator[tuple[str, str]]:
    """JupyterLab with a token, on a free port of 127.0.0.1; gives its address and the token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        Path(sys.executable).with_name("jupyter"), "lab", notebooks, "--no-browser", "--allow-root",
        "--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={token}",
        f"--LabApp.workspaces_dir={home}/workspaces", f"--LabApp.user_settings_dir={home}/settings",
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(home), "JUPYTER_CONFIG_PATH": str(CONFIG)}
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/api", server)
            yield f"http://127.0.0.1:{port}", token
        finally:
            server.terminate()
            server.wait(timeout=20)


def wait_for(address: str, server: subprocess.Popen, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(address):
            return
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended with status {server.returncode}")
        time.sleep(0.2)
    raise TimeoutError(f"{address} did not answer within {seconds:.0f} s")


def run_notebook(page: Page, address: str, token: str, name: str) -> None:
    """Open a notebook and run all of its cells; returns when the kernel is idle again."""
    page.goto(f"{address}/lab/tree/{name}.ipynb?token={token}&reset")  # nothing left open from before
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
