"""The report from file://, offline: charts drawn, nothing requested, readable on a phone and without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers import chain
from clv_helpers.workbook import ROOT
from conftest import SMALL
from lab import browser


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path_factory.mktemp("report")))
        patch.delenv("CLV_BATCH", raising=False)
        record, folder = chain.run(ROOT / "params" / "airline.yml", overrides=SMALL)
    return folder / record.report


@pytest.mark.xdist_group("report")
def test_report_offline(chromium: str, report_file: Path) -> None:
    seen: list[str] = []
    with browser(chromium) as started:
        context = started.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        page = context.new_page()
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda request: seen.append(request.url))
        page.goto(report_file.as_uri())
        page.wait_for_function("document.querySelectorAll('.chart svg.marks').length >= 10")
        charts = page.locator("figure").count()
        assert page.locator(".vega-embed svg").count() == charts >= 10
        bars = page.locator("figure", has_text="The best tenth brings").locator("svg path[aria-roledescription=bar]")
        assert bars.count() == 10
        bars.first.hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert "Decile of members" in page.inner_text("#vg-tooltip-element")
        assert seen == [report_file.as_uri()]
        assert page.locator(".figures .figure").count() >= 4
        assert page.locator(".findings li").count() >= 3
        page.screenshot(path=ROOT / "outputs" / "report.png", full_page=True)


@pytest.mark.xdist_group("report")
def test_report_on_a_phone_and_without_scripts(chromium: str, report_file: Path) -> None:
    with browser(chromium) as started:
        phone = started.new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False, offline=True)
        page = phone.new_page()
        page.goto(report_file.as_uri())
        for chart in page.locator(".chart svg").all():
            box = chart.bounding_box()
            assert 100 < box["width"] <= 360
        wide = started.new_context(viewport={"width": 360, "height": 740}, offline=True).new_page()
        wide.goto(report_file.as_uri())
        wide.wait_for_function("document.querySelectorAll('.chart svg.marks').length >= 10")
        assert wide.evaluate("document.documentElement.scrollWidth") <= 360
