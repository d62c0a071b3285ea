"""What `clv check` finds before anything is built, and what it warns of once something is."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers import ingest
from clv_helpers.audiences.catalog import catalog_of, event_tables, read_catalog
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.models import known_columns
from clv_helpers.run import build, notebooks, row_check
from conftest import write_shop

HEADER = "-- One row: a thing.\n-- Key: v\n"
BOARD = "title: x\nwidgets: [{title: t, table: TABLE, mark: number, y: Y}]\n"


def found(folder: Path, file: str, text: str) -> list[str]:
    """What check says of a small shop with this file."""
    params = write_shop(folder)
    place = folder / "shop" / file
    place.parent.mkdir(parents=True)
    place.write_text(text)
    return [problem.sentence for problem in notebooks.check(Workbook.open(params))]


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (
            "audiences/a.yml",
            "title: x\nrule: {field: decile_liftime, op: at most, value: 3}\n",
            "shop/audiences/a.yml: rule.field is 'decile_liftime', not in the profile; allowed: ",
        ),
        (
            "audiences/a.yml",
            "title: x\nrule: {field: purchases, op: equals, value: many}\n",
            "rule.value is 'many' for purchases; allowed: a value of type integer",
        ),
        (
            "audiences/a.yml",
            "title: x\nrule: {event: purchases, where: {field: ammount, op: exists}}\n",
            "rule.where.field is 'ammount', not in purchases; allowed: ",
        ),
        (
            "sql/a.sql",
            f"{HEADER}SELECT customer_id AS v FROM lake.purchase",
            "shop/sql: a.sql, line 3: there is no table lake.purchase; ",
        ),
        (
            "dashboards/d.yml",
            BOARD.replace("TABLE", "insights.fact_value_by_decil").replace("Y", "spend"),
            "widgets[0].table is 'insights.fact_value_by_decil'; did you mean insights.fact_value_by_decile?",
        ),
        (
            "dashboards/d.yml",
            BOARD.replace("TABLE", "insights.fact_value_by_decile").replace("Y", "custmers"),
            "widgets[0].table is insights.fact_value_by_decile, which has no column 'custmers'; "
            "did you mean customers?",
        ),
    ],
)
def test_found_before_anything_is_built(outputs: Path, tmp_path: Path, file: str, text: str, says: str) -> None:
    said = found(tmp_path, file, text)
    assert len(said) == 1
    assert says in said[0]


def test_no_warning_of_tables_of_stages_that_have_not_run(outputs: Path, tmp_path: Path) -> None:
    assert found(tmp_path, "dashboards/d.yml", BOARD.replace("TABLE", "lifetime.score").replace("Y", "v")) == []


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_what_is_foreseen_is_what_is_built(name: str, request: pytest.FixtureRequest) -> None:
    workbook = request.getfixturevalue(name)
    foreseen, columns = catalog_of(workbook.params), known_columns(workbook)
    with workbook.engine.read() as session:
        built = read_catalog(session, event_tables(workbook.params), params=workbook.params)
        there = {each: tuple(session.columns(table(each))) for each in session.tables()}
    pairs = [(foreseen.profile, built.profile), *((foreseen.events[n], built.events[n]) for n in built.events)]
    for mine, theirs in pairs:
        assert {n: each.kind for n, each in mine.items()} == {n: each.kind for n, each in theirs.items()}
    spelt = {each: known for each, known in columns.items() if known and each in there}
    assert len(spelt) > 40
    assert {each: there[each] for each in spelt} == spelt


def test_a_category_that_nobody_has_is_a_warning_with_those_there_are(workbook: Workbook, tmp_path: Path) -> None:
    params = tmp_path / "airline.yml"
    params.write_text(workbook.file.read_text("utf-8"))
    place = tmp_path / "airline" / "audiences" / "a.yml"
    place.parent.mkdir(parents=True)
    rule = "title: x\nrule: {map: decile, category: CATEGORY, lookback_months: 12, op: at most, value: 3}\n"
    opened = Workbook.open(params)
    place.write_text(rule.replace("CATEGORY", "GLOD"))
    warning = f"{place}: rule.category is 'GLOD', in which no member has a decile; allowed: "
    (sentence,) = [problem.sentence for problem in notebooks.warnings(opened)]
    assert sentence.startswith(warning)
    assert "GOLD" in sentence
    for category in ("GOLD", "ALL"):
        place.write_text(rule.replace("CATEGORY", category))
        assert notebooks.warnings(opened) == []


def test_no_warning_before_anything_is_published(outputs: Path, tmp_path: Path) -> None:
    assert notebooks.warnings(Workbook.open(write_shop(tmp_path))) == []


@pytest.mark.parametrize(
    ("as_of", "said"),
    [
        ("latest", []),
        ("2024-04-30", []),  # 60 days after the last purchase, on 1 March
        ("2024-05-01", ["as_of is 2024-05-01, 61 days after the last purchase before it (2024-03-01)"]),
        ("2024-03-02", []),
        ("2024-03-01", ["as_of is 2024-03-01, and what lies on that day or later does not count (1 purchase)"]),
        ("2024-02-11", ["as_of is 2024-02-11, and what lies on that day or later does not count (2 purchases)"]),
    ],
)
def test_an_as_of_far_from_the_data_is_doubted(outputs: Path, tmp_path: Path, as_of: str, said: list[str]) -> None:
    """In clv check and in stage 1; on the edge and for latest nothing is said."""
    workbook = Workbook.open(write_shop(tmp_path), as_of)
    problems, doubts = row_check.row_findings(workbook)
    found = [doubt.value for doubt in doubts if doubt.value.startswith("as_of")]
    assert not problems
    assert [each.split(";")[0].split(": all")[0] for each in found] == said
    ingest.ingest_files(workbook)
    shown = build.derived(workbook).bundle["text/plain"]
    assert all(each.removeprefix("as_of") in shown for each in said)
    assert ("As_of" in shown) == bool(said)
