"""A workbook whose every text is hostile: its report shows them as texts, runs nothing and asks for nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page

from clv_helpers.config.settings import Simulation
from clv_helpers.config.validation import read_yaml
from clv_helpers.config.workbook import ROOT
from clv_helpers.run import notebooks
from clv_helpers.simulate import write_airline
from lab import browser

pytestmark = pytest.mark.slow  # six notebooks and a browser

SCRIPT = "</script><script>window.PWN=1</script>"
IMAGE = '"><img src=x onerror=window.PWN=1>'
SVG = "<svg onload=window.PWN=1>]]>--><!--"
MUSTACHE = "{{7*7}} ${7*7} <%= 7*7 %>"
LINK = "[x](javascript:window.PWN=1) <a href=javascript:window.PWN=1>x</a>"
BIDI = "\u202etsil\u2066 \u200b'; DROP TABLE x; --"
VEGA = "'+alert(1)+' \" datum.x) && (window.PWN=1) //"
HOSTILE = [SCRIPT, IMAGE, SVG, MUSTACHE, LINK, BIDI, VEGA]
HEADER = "status<img src=x onerror=window.PWN=1>"
BOARD = {
    "title": SCRIPT,
    "description": f"{IMAGE} {LINK} {{{{7*7}}}}",
    "filters": [
        {"column": "category", "table": "insights.fact_value_by_decile", "label": IMAGE},
        {"column": "lookback", "table": "insights.fact_value_by_decile", "label": SVG, "order_by": "lookback_order"},
    ],
    "widgets": [
        {
            "title": f"{SCRIPT} {{share_of_value}} {{category}}",
            "subtitle": f"{IMAGE} {{lookback}}",
            "table": "insights.fact_value_by_decile",
            "mark": "bar",
            "x": {"column": "decile", "title": VEGA},
            "y": {"column": "share_of_value", "title": SCRIPT, "format": ".0%"},
            "highlight": {"decile": 1},
            "labels": True,
        },
        {
            "title": f"{SVG} {{category}}",
            "table": "insights.fact_value_by_category",
            "mark": "bar",
            "x": {"column": "customers", "title": IMAGE},
            "y": {"column": "category", "title": LINK},
            "highlight": {"category": VEGA},
            "labels": True,
        },
        {
            "title": LINK,
            "table": "insights.fact_value_by_category",
            "mark": "table",
            "columns": [{"column": "category", "title": SCRIPT}, {"column": "customers", "title": IMAGE}],
        },
        {
            "title": MUSTACHE.replace("{", "{{").replace("}", "}}"),
            "table": "insights.fact_value_by_category",
            "mark": "donut",
            "size": {"column": "customers", "title": VEGA},
            "color": {"column": "category", "title": SVG},
        },
    ],
}


def hostile(column: str, keep: str = "") -> str:
    """SQL for a column whose every value is one of the hostile texts, told apart; `keep` is left as it is."""
    texts = ", ".join("'" + text.replace("'", "''") + "'" for text in HOSTILE)
    picked = f"list_value({texts})[(hash({column}) % {len(HOSTILE)})::INTEGER + 1] || ' ' || {column}"
    return f"CASE WHEN {column} = '{keep}' THEN {column} ELSE {picked} END"


def write_workbook(folder: Path) -> Path:
    """The small airline, with hostile texts in each column, header, file name and key that takes a text."""
    write_airline(Simulation(members=700, years=2), folder / "plain")
    changed = {
        "loyalty_events": [("loyalty_status", HEADER), ("transaction_details", "transaction_details")],
        "members": [(name, name) for name in ("first_name", "last_name", "region", "channel")],
        "email_events": [(name, name) for name in ("campaign", "audience", "url", "user_agent", "bounce_code")],
        "assignments": [("campaign", "campaign"), ("audience", "audience")],
        "costs": [("channel", "channel")],
        "routes": [(name, name) for name in ("route", "region", "distance_band")],
    }
    for name, columns in changed.items():
        others = ", ".join(f'{hostile(column)} AS "{header}"' for column, header in columns)
        without = ", ".join(column for column, _ in columns)
        file = folder / f"{name} <img src=x onerror=window.PWN=1>.parquet"
        changed_rows = f"SELECT * EXCLUDE ({without}), {others} FROM '{folder}/plain/{name}.parquet'"
        duckdb.sql(f"COPY ({changed_rows}) TO '{file}' (FORMAT parquet)")
    params = read_yaml(ROOT / "params" / "airline.yml")
    del params["simulate"], params["schedule"], params["campaigns"], params["literal_guide_windows"]
    for source in params["sources"].values():
        name = Path(source["path"]).stem
        source["path"] = str(folder / f"{name} <img src=x onerror=window.PWN=1>.parquet")
    params["sources"]["purchases"]["columns"]["category"] = HEADER
    params["title"] = f"{SCRIPT} {IMAGE} {MUSTACHE}"
    params["words"] = {"customer": IMAGE, "purchase": SCRIPT, "value": SVG, "category": LINK}
    params["value"]["unit"] = params["spend"]["unit"] = IMAGE
    params["destinations"]["email_team"]["columns"]["first_name"] = SCRIPT
    params["activations"][0] |= {"audience": "hostile", "campaign": "win-back"}
    file = folder / "hostile.yml"
    file.write_text(json.dumps(params, ensure_ascii=False), encoding="utf-8")
    for kind in ("dashboards", "audiences"):
        (folder / "hostile" / kind).mkdir(parents=True)
    (folder / "hostile" / "dashboards" / "value.yml").write_text(
        json.dumps(BOARD, ensure_ascii=False), encoding="utf-8"
    )
    for name, least in (("hostile", 1), ("other", 2)):
        audience = {
            "title": f"{SCRIPT} {IMAGE} {name}",
            "description": f"{LINK} {MUSTACHE}",
            "rule": {"all": [{"field": "frequency", "op": "at least", "value": least}]},
        }
        (folder / "hostile" / "audiences" / f"{name}.yml").write_text(json.dumps(audience), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        record, place = notebooks.run(write_workbook(folder))
        yield place / record.report


def use_everything(page: Page) -> None:
    """Change each filter to each choice, open each menu, see each table, hover and click marks."""
    for select in page.locator(".clv-filters:not([hidden]) label:not([hidden]) select").all():
        for option in range(select.locator("option").count()):
            select.select_option(index=option)
    for menu in page.locator(".clv-menu").all():
        menu.locator("summary").click()
        menu.get_by_role("button", name="View data").click()
    for chart in page.locator(".clv-chart.vega-embed").all():
        marks = chart.locator(".mark-rect path, .mark-arc path").all()[:4]
        for mark in [
            mark
            for mark in marks
            if min((box := mark.bounding_box() or {"width": 0, "height": 0})["width"], box["height"]) > 1
        ]:
            mark.hover(force=True)
            mark.click(force=True)
    for link in page.locator("main a, nav a").all():
        assert not (link.get_attribute("href") or "").lower().startswith("javascript")


def test_hostile_texts_stay_texts(chromium: str, report_file: Path) -> None:
    seen: list[str] = []
    with browser(chromium) as started:
        page = started.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda request: seen.append(request.url))
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(report_file.as_uri())
        page.evaluate("for (const board of document.querySelectorAll('.board')) board.classList.remove('closed')")
        page.evaluate("document.getElementById('annex').open = true")  # where it opens, all that is shown becomes live
        page.wait_for_function(
            "document.querySelectorAll('.clv-chart.vega-embed').length === "
            "document.querySelectorAll('.clv-chart[aria-label]').length"
        )
        use_everything(page)
        page.wait_for_timeout(300)
        assert page.evaluate("window.PWN") is None
        assert page.locator("img, iframe, object, form:not(.vega-bindings), base, [onload], [onerror]").count() == 0
        assert page.locator("h1").inner_text() == f"{SCRIPT} {IMAGE} {MUSTACHE}"
        assert [line for line in seen if not line.startswith("blob:")] == [report_file.as_uri()]


def test_what_gets_in_all_the_same_is_stopped_by_the_policy(chromium: str, report_file: Path, tmp_path: Path) -> None:
    """The second wall: were something to slip through, it could ask for nothing and send nothing."""
    breached = tmp_path / "report.html"
    shutil.copy(report_file, breached)
    asks = (
        "<img src='http://127.0.0.1:9/x.png'><form action='http://127.0.0.1:9/'><button id=send>x</button></form>"
        "<script>fetch('http://127.0.0.1:9/').catch(() => window.REFUSED = 1)</script>"
        "<script src='http://127.0.0.1:9/x.js'></script><iframe src='http://127.0.0.1:9/'></iframe>"
    )
    breached.write_text(breached.read_text("utf-8").replace('<main id="main">', f'<main id="main">{asks}'), "utf-8")
    said: list[str] = []
    with browser(chromium) as started:
        page = started.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(breached.as_uri())
        page.wait_for_function("window.REFUSED === 1")
        page.evaluate("document.querySelector('#send').click()")
        page.wait_for_timeout(200)
        assert page.url == breached.as_uri()
    for directive in ("img-src", "form-action", "default-src", "script-src"):
        assert any(directive in line and "Content Security Policy" in line for line in said), directive
