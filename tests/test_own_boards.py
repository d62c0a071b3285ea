"""Boards of one's own: each comes into the report, and one whose table was not made does not stop the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clv_helpers import dashboards, ingest, lifetime, models
from clv_helpers.charts import ChartError
from clv_helpers.charts.rows import is_known
from clv_helpers.charts.show import BOARD_MIME
from clv_helpers.charts.theme import filled
from clv_helpers.config.workbook import Workbook
from clv_helpers.config.yaml_files import BUILT_IN
from clv_helpers.dashboards import static_board
from clv_helpers.dashboards.live_board import IN_NOTEBOOKS, LiveBoard
from clv_helpers.errors import UserError
from clv_helpers.run.notebooks import NOTEBOOKS
from conftest import write_shop

BUILT_IN_NAMES = sorted(file.stem for file in (BUILT_IN / "dashboards").glob("*.yml"))
HERE = [name for name in BUILT_IN_NAMES if name not in ("acquisition", "products")]  # its purchases name neither
GENRES = "title: Genres\nwidgets:\n  - {title: Of genres, table: TABLE, mark: bar, x: decile, y: value}\n"


@pytest.fixture
def shop(outputs: Path, tmp_path: Path) -> Workbook:
    """A shop of three customers, too few for a prediction, without boards of its own."""
    workbook = Workbook.open(write_shop(tmp_path, extra="lifetime: {horizon_months: 12}\n"))
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    lifetime.refresh(workbook)
    models.refresh(workbook, "profile", *models.MODEL)
    return workbook


def write_board(workbook: Workbook, table: str, name: str = "genres") -> None:
    file = workbook.specs / "dashboards" / f"{name}.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(GENRES.replace("TABLE", table), encoding="utf-8")


def cards(workbook: Workbook, name: str) -> list[dict]:
    return static_board.board(workbook, name).bundle[BOARD_MIME]["cards"]


def test_a_board_of_ones_own_follows_those_the_notebooks_name(shop: Workbook) -> None:
    write_board(shop, "derived.decile_edge")
    assert dashboards.others(shop) == ["genres"]
    batch = replace(shop, run="2026-01-01")
    output = dashboards.board(batch, "value", "nope", *dashboards.others(batch))
    assert [part.bundle[BOARD_MIME]["name"] for part in output.parts] == ["value", "genres"]
    assert dashboards.board(batch, "nope") is None


def test_a_board_is_displayed_by_whoever_asked_for_it(shop: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list = []
    monkeypatch.setattr("IPython.display.display", lambda *shown, **_: displayed.append(shown))
    output = dashboards.board(replace(shop, run="2026-01-01"), "value", "forecast")
    assert displayed == []
    output._ipython_display_()
    assert [next(iter(bundle)) for (bundle,) in displayed] == [BOARD_MIME, BOARD_MIME]


def test_what_the_notebooks_show_by_name_stands_in_them() -> None:
    sources = "".join(
        "".join(cell["source"]) for file in NOTEBOOKS.glob("*.ipynb") for cell in json.loads(file.read_text())["cells"]
    )
    assert [name for name in IN_NOTEBOOKS if f'"{name}"' not in sources] == []
    assert "*dashboards.others(wb)" in sources


def test_a_workbook_without_boards_gets_the_built_in_ones(shop: Workbook) -> None:
    assert not shop.specs.exists()
    assert dashboards.names(shop) == HERE
    assert set(IN_NOTEBOOKS) <= {*BUILT_IN_NAMES}
    board = dashboards.board(shop, "value", "migration")
    switch = next(w for w in board.children[0].children if w.description == "Board")
    assert [name for _, name in switch.options] == ["value", "migration"]


def test_what_a_widget_left_out_stood_beside_takes_the_row(shop: Workbook) -> None:
    """The shop has no category, so the share of each is left out beside the concentration."""
    widths = {widget.sql: widget.width for widget in dashboards.load(shop, "value").widgets}
    assert (widths["concentration"], widths["value_by_year"]) == ("full", "half")
    for name in dashboards.names(shop):
        widths = [widget.width for widget in dashboards.load(shop, name).widgets]
        assert filled(widths) == widths


def test_a_board_of_ones_own_takes_the_place_of_the_built_in_one(shop: Workbook) -> None:
    write_board(shop, "derived.decile_edge", "value")
    assert dashboards.load(shop, "value").title == "Genres"
    assert dashboards.names(shop) == HERE
    write_board(shop, "derived.decile_edge", "acquisition")
    assert dashboards.names(shop) == sorted([*HERE, "acquisition"])


def test_a_refused_prediction_leaves_its_places_with_the_reason(shop: Workbook) -> None:
    told = [card for card in cards(shop, "forecast") if "lifetime.holdout_week" in card["html"]]
    assert len(told) == 1
    assert "There is no table lifetime.holdout_week yet: lifetime value is not predicted, as " in told[0]["html"]
    assert "500 are needed" in told[0]["html"]
    assert told[0]["title"]
    assert "{" not in told[0]["title"]
    live = [card for card in LiveBoard(shop, ["forecast"]).view.cards if "lifetime.holdout_week" in card["html"]]
    assert "500 are needed" in live[0]["html"]
    assert "{" not in live[0]["title"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("audiences.fact_audience", "stage 4 makes it; run that and then stage 3 again."),
        ("campaigns.fact_effect", "stage 6 makes it, and is skipped without e-mail events, assignments or experiments"),
    ],
)
def test_a_table_of_a_stage_that_did_not_run(shop: Workbook, table: str, says: str) -> None:
    write_board(shop, table)
    assert f"There is no table {table} yet: {says}" in cards(shop, "genres")[0]["html"]
    assert says in LiveBoard(shop, ["genres"]).view.cards[0]["html"]


def test_sql_that_reads_a_table_of_a_stage_that_did_not_run(shop: Workbook) -> None:
    folder = shop.specs / "dashboards"
    folder.mkdir(parents=True)
    (folder / "mine.sql").write_text("SELECT decile, value, customers FROM lifetime.value_by_decile")
    (folder / "genres.yml").write_text(GENRES.replace("table: TABLE", "sql: mine"))
    assert "lifetime value is not predicted" in cards(shop, "genres")[0]["html"]


def test_a_table_that_nothing_makes_is_an_error_with_its_place(shop: Workbook) -> None:
    write_board(shop, "lifetime.nope")
    with pytest.raises(ChartError) as refused:
        cards(shop, "genres")
    said = "widget 'Of genres': there is no table lifetime.nope, and no stage makes one"
    assert str(refused.value) == f"dashboards/genres.yml, {said}"
    assert said.replace("'", "&#x27;") in LiveBoard(shop, ["genres"]).view.cards[0]["html"]


def test_every_published_table_is_known(airline: Workbook) -> None:
    with airline.engine.read() as session:
        assert [name for name in session.tables() if not is_known(airline, name)] == []


def test_a_widget_that_needs_too_much_memory_says_so(shop: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_board, "MEMORY", "200MB")
    texts = "SELECT MOD(r.range, 3) AS a, LENGTH(STRING_AGG(MD5(r.range::VARCHAR), '')) AS b FROM RANGE(20000000) AS r"
    file = shop.specs / "dashboards" / "many.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{texts} GROUP BY 1")
    widget = "{title: Of texts, sql: many, mark: bar, x: a, y: b}"
    file.with_suffix(".yml").write_text(f"title: Many\nwidgets:\n  - {widget}\n")
    with pytest.raises(UserError, match="'Of texts': it needs more than 200MB of memory; filter or aggregate first"):
        dashboards.board(replace(shop, run="2026-01-01"), "many")
