"""`clv board`: the live board alone, behind a token, without a request to any other host."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from clv_helpers.charts.rounding import rounded
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.dashboards.serve import CannotServe, serve
from conftest import build_all
from lab import browser, wait_for

SOON = "from clv_helpers.dashboards import serve; serve.IDLE_SECONDS = 3; from clv_helpers.cli import main; main()"


@contextlib.contextmanager
def served(params: Path, *boards: str) -> Iterator[str]:
    command = [sys.executable, "-c", SOON, "board", params, *boards, "--no-browser"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ})
    try:
        address = re.search(r"http://127.0.0.1:\S+", server.stderr.readline())[0]
        wait_for(address.partition("?")[0], server)
        yield address
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=20) == 0


def test_board_alone(chromium: str, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_TEST_MARK", "board-alone")
    params = ROOT / "params" / "airline.yml"
    workbook = build_all(Workbook.open(params, overrides={"simulate.members": 2000}))
    best = workbook.query("insights.fact_value_by_decile", category="ALL", decile=1).set_index("lookback")
    shown = pd.Series(rounded(best["share_of_value"], best["customers"], 11), best.index)
    share = shown.map("{:.0%}".format)
    elsewhere: list[str] = []
    with served(params) as address, browser(chromium) as started:
        with urllib.request.urlopen(address.partition("?")[0]) as stranger:
            assert stranger.url.endswith("/login?next=%2F")  # asks for the token, and shows nothing
        page = started.new_page(viewport={"width": 1280, "height": 1000})
        page.on("request", lambda r: elsewhere.append(r.url) if "127.0.0.1" not in r.url else None)
        page.goto(address)
        page.get_by_text(f"The best tenth brings {share['12 months']} of all miles").wait_for(timeout=60_000)
        page.wait_for_selector(".clv-chart svg.marks")
        page.screenshot(path=ROOT / "outputs" / "served_board.png")
        title = "Airline loyalty programme (simulated)"
        assert (page.title(), page.get_by_role("heading", level=1).inner_text()) == (title, title)
        tabs = page.locator(".clv-tabs button").all_inner_texts()
        assert (tabs[0], "Who is in a decile" in tabs) == ("Lifetime value by decile", False)
        assert Axe().run(page).response["violations"] == []
        page.get_by_label("Look-back", exact=True).select_option("lifetime")
        page.get_by_text(f"The best tenth brings {share['lifetime']} of all miles").wait_for(timeout=20_000)
        page.get_by_label("Months", exact=True).select_option("this year")
        page.get_by_role("button", name="Reset filters").last.press("Enter")  # of the chart that has nothing to show
        page.get_by_text(f"The best tenth brings {share['12 months']} of all miles").wait_for(timeout=20_000)
        assert len(_kernels("board-alone")) == 1
        _a_view_is_in_the_address(started, page)
        page.close()
        _wait_until(lambda: not _kernels("board-alone"))
    assert [url for url in elsewhere if not url.startswith(("data:", "blob:"))] == []


def _a_view_is_in_the_address(started: Browser, page: Page) -> None:
    """Two values of a filter and a pick, on the board that a click led to: who opens the address sees the same."""
    page.get_by_label("Who is in a decile: decile").first.select_option("2")
    status = page.locator(".clv-choice", has_text="Status")
    status.locator("summary").click()
    for name in ("GOLD", "SILVER"):
        status.get_by_role("checkbox", name=name, exact=True).check()
    page.locator("figcaption p", has_text="Status: GOLD, SILVER").first.wait_for()
    status.locator("summary").click()  # the open list lies over the bars
    page.locator("path[aria-roledescription=bar]").last.click()
    page.wait_for_function("location.hash.includes('pick.')")
    address, shown = page.evaluate("location.href"), _shown(page)
    assert "board=decile&filter.decile=2&filter.category=GOLD&filter.category=SILVER&pick." in address
    again = started.new_page()
    again.goto(address)
    again.locator(".clv-picked", has_text="Picked").wait_for(timeout=60_000)
    again.wait_for_function(
        "told => [...document.querySelectorAll('.clv-title')].at(-1)?.innerText === told", arg=shown[-1][0]
    )
    assert _shown(again) == shown
    again.close()


def _shown(page: Page) -> list[tuple[str, str]]:
    """The titles and figures of the cards."""
    page.wait_for_selector(".clv-chart svg.marks")
    return [
        (card.locator(".clv-title").inner_text(), card.locator(".clv-chart").inner_text())
        for card in page.locator(".clv-live .clv-card").all()
    ]


def _with(mark: str) -> list[Path]:
    """The processes that bear a mark in their environment: the board's, Voila and its kernels."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes():
                found.append(process)
    return found


def _kernels(mark: str) -> list[Path]:
    return [process for process in _with(mark) if b"ipykernel" in (process / "cmdline").read_bytes()]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_its_parent_and_its_token_is_not_in_ps(how: signal.Signals, outputs: Path) -> None:
    command = [Path(sys.executable).with_name("clv"), "board", ROOT / "params" / "airline.yml", "--no-browser"]
    mark = f"board-{how.name}"
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "CLV_TEST_MARK": mark})
    address = re.search(r"http://127.0.0.1:\S+", server.stderr.readline())[0]
    wait_for(address.partition("?")[0], server)
    token = address.partition("token=")[2]
    assert len(_with(mark)) >= 2
    commands = [(process / "cmdline").read_bytes() for process in _with(mark)]
    assert not [line for line in commands if token.encode() in line]
    server.send_signal(how)
    server.wait(timeout=20)
    _wait_until(lambda: not _with(mark))


def _wait_until(it_is: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not it_is():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_cannot_be_served_is_said(airline: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParamsError, match="dashboard is 'nope'"):
        serve(airline, ["nope"], 0, False, print)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(CannotServe, match="needs Voila"):
        serve(airline, [], 0, False, print)
