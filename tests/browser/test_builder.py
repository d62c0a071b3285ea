"""The segment builder in a real JupyterLab: built by clicking, saved, read again, evaluated; the count is exact."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from clv_helpers import audiences
from clv_helpers.config.workbook import ROOT, Workbook
from conftest import build_all
from lab import browser, jupyterlab, run_notebook

BY_HAND = """
SELECT COUNT(*) AS customers FROM profile.customer AS p
JOIN derived.customer_decile AS d
    ON d.customer_id = p.customer_id AND d.category = 'ALL' AND d.lookback_months = 12 AND d.decile <= 3
WHERE p.customer_id NOT IN (
    SELECT customer_id FROM lake.purchases
    WHERE occurred_at >= $as_of - INTERVAL '90' DAY AND occurred_at < $as_of
)
AND p.customer_id NOT IN (
    SELECT customer_id FROM lake.email_events
    WHERE event_type IN ('unsubscribed', 'complained') OR (event_type = 'bounced' AND bounce_type = 'hard')
)"""

TABS = {
    "Funnel": "Everyone",
    "Sentence": "Members whose decile among all members over 12 months is at most 3 and with no flights",
    "SQL": 'FROM "profile"."customer" AS p',
    "PQL": '_airline.decilesMileage.decileMonth12.get("ALL") <= 3',
    "YAML": "map: decile",
    "Ten members": "•••••",
    "Notes": "The platform would not stream it: events and membership of an audience in one rule.",
    "Changes": "As in the file.",
}


def test_build_by_clicking(chromium: str, outputs: Path, tmp_path: Path) -> None:
    for folder in ("notebooks", "params"):  # saving writes beside the params, so they are this test's own
        shutil.copytree(ROOT / folder, tmp_path / folder)
    params = tmp_path / "params" / "airline.yml"
    params.write_text(params.read_text() + "\nmin_cell: 1\n")  # so that exact numbers are looked for
    workbook = build_all(Workbook.open(params, overrides={"simulate.members": 800}))
    messages: list[str] = []
    with jupyterlab(tmp_path, tmp_path / "notebooks") as (address, token), browser(chromium) as started:
        page = started.new_page(viewport={"width": 1720, "height": 1500})
        page.on("console", lambda m: messages.append(m.text) if m.type == "error" else None)
        run_notebook(page, address, token, "4_audiences")
        builder = page.locator(".clv-builder").first
        builder.wait_for(timeout=60_000)
        page.screenshot(path=ROOT / "outputs" / "lab_builder_loaded.png")
        builder.get_by_role("button", name="New").click()
        builder.get_by_text("The rule is empty").wait_for()
        first = add_decile(builder)
        second = add_event(builder)
        assert second != first
        builder.get_by_role("button", name="Audiences", exact=True).click()
        builder.locator("select[size] option", has_text="do_not_write").wait_for(state="attached")
        builder.locator("select[size]").first.select_option("do_not_write")
        builder.get_by_text("Members with at least 1 e-mail event").last.wait_for()
        builder.get_by_role("button", name="Add to the rule").click()
        builder.locator(".clv-row", has_text="in the audience do_not_write").wait_for()
        builder.get_by_role("button", name="Exclude").focus()
        page.keyboard.press("Enter")
        builder.locator(".clv-row", has_text="EXCLUDING in the audience do_not_write").wait_for()
        by_hand = count_by_hand(workbook)
        builder.locator(".clv-count", has_text=re.compile(f"^{by_hand:,}$")).wait_for()
        page.screenshot(path=ROOT / "outputs" / "lab_builder.png")
        builder.get_by_label("File").fill("quiet_top")
        builder.get_by_label("Title").fill("Quiet top")
        builder.get_by_role("button", name="Save").click()
        builder.locator(".clv-saved").wait_for()
        builder.get_by_role("button", name="New").click()
        builder.get_by_text("The rule is empty").wait_for()
        builder.get_by_role("button", name="Load").click()
        builder.locator(".clv-count", has_text=re.compile(f"^{by_hand:,}$")).wait_for()
        for tab, says in TABS.items():
            builder.get_by_role("tab", name=tab).click()
            builder.get_by_text(says).first.wait_for()
            builder.screenshot(path=ROOT / "outputs" / f"lab_builder_{tab.split()[-1].lower()}.png")
        builder.get_by_role("button", name="Evaluate").click()
        builder.locator(".clv-evaluated", has_text=f"{by_hand:,} members").wait_for()
    assert 0 < by_hand < first
    assert audiences.load(workbook, "quiet_top").title == "Quiet top"
    sizes = workbook.query("audiences.fact_audience").set_index("audience")
    assert sizes.loc["quiet_top", "customers"] == by_hand
    assert [m for m in messages if "Failed to load resource" not in m] == []


def add_decile(builder) -> int:
    builder.get_by_placeholder("search by name or meaning").fill("map of deciles")
    builder.get_by_text("The member's decile within one status").wait_for()
    builder.get_by_label("over", exact=True).select_option("12 months")
    builder.get_by_label("operator").select_option("at most")
    builder.get_by_label("value").fill("3")
    builder.get_by_role("button", name="Add to the rule").click()
    builder.locator(".clv-row", has_text="decile among all members over 12 months is at most 3").wait_for()
    return shown_count(builder)


def add_event(builder) -> int:
    builder.get_by_role("button", name="Events", exact=True).click()
    builder.get_by_label("number").wait_for()
    builder.locator("select[size]").first.select_option("purchases")
    builder.get_by_label("time", exact=True).select_option("in the last")
    builder.get_by_placeholder("90 days").fill("90 days")
    builder.get_by_label("is", exact=True).select_option("equals")
    builder.get_by_label("number").fill("0")
    builder.get_by_role("button", name="Add to the rule").click()
    builder.locator(".clv-row", has_text="with no flights in the last 90 days").wait_for()
    return shown_count(builder)


def shown_count(builder) -> int:
    builder.page.wait_for_timeout(500)
    return int(builder.locator(".clv-count").inner_text().replace(",", ""))


def count_by_hand(workbook: Workbook) -> int:
    with workbook.engine.read() as session:
        as_of = session.scalar("SELECT as_of FROM derived.as_of")
        return session.scalar(BY_HAND, as_of=as_of)
