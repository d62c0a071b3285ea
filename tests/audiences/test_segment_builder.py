"""The segment builder without a browser: a file opened, changed, undone, saved beside another's change."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from clv_helpers import audiences
from clv_helpers.audiences import estimate, templates
from clv_helpers.audiences.catalog import GENERAL_WORDS, Catalog
from clv_helpers.audiences.segment_builder import Builder
from clv_helpers.charts.rounding import people_text
from clv_helpers.config.workbook import Workbook

NAME = "best_now_quiet"


@pytest.fixture
def own(airline: Workbook, tmp_path: Path) -> Workbook:
    """The airline's tables, with audiences of this test's own to write to."""
    shutil.copytree(airline.specs, tmp_path / "airline")
    workbook = Workbook(tmp_path / "airline.yml", airline.params)
    workbook.__dict__["engine"] = airline.engine
    return workbook


def test_a_batch_run_gives_one_output(airline: Workbook) -> None:
    batch = replace(airline, run="2026-01-01")
    batch.__dict__["engine"] = airline.engine  # several airlines are built in a session
    output = audiences.builder(batch, NAME)
    assert len(output.parts) == 3


def test_opened_changed_and_saved_as_a_copy(own: Workbook) -> None:
    builder = Builder(own, NAME)
    assert "members" in builder.view.state["panel"]
    before = copy.deepcopy(builder.draft.raw)
    builder.act("head", key="title", value="Another title")
    assert builder.view.state["isChanged"]
    builder.act("undo")
    assert builder.draft.raw == before and not builder.view.state["isChanged"]
    builder.act("redo")
    builder.act("copy")
    builder.act("save")
    assert audiences.load(own, "another_title_copy").title == "Another title (copy)"
    assert builder.view.state["status"] == "Saved as audiences/another_title_copy.yml"
    assert {"name": "another_title_copy", "title": "Another title (copy)"} in builder.view.state["files"]
    assert audiences.load(own, NAME).title == before["title"]


def test_anothers_change_is_not_written_over(own: Workbook) -> None:
    builder = Builder(own, NAME)
    file = own.specs / "audiences" / f"{NAME}.yml"
    file.write_text(file.read_text("utf-8") + "# changed meanwhile\n")
    builder.act("save", at="save")
    assert f"audiences/{NAME}.yml was changed by another" in builder.view.state["problem"]["text"]


def test_an_unfinished_row_says_what_it_lacks_and_the_others_are_counted(own: Workbook) -> None:
    builder = Builder(own)
    builder.act("save", at="save")
    assert "The rule is empty" in builder.view.state["problem"]["text"]
    builder.act("add", path=[], block="event:purchases")
    flown = builder.counted.estimate.count
    for block, said in {
        "field:region": "Now choose at least one value.", "field:frequency": "Now enter a value.",
        "field:joined_on": "Now say how long: enter a number.", "sequence:purchases": "Now choose what comes next.",
    }.items():  # fmt: skip
        builder.act("add", path=[], block=block)
        assert builder.view.state["rule"]["rows"][-1]["problem"] == said
        assert builder.counted.estimate.count == flown
    assert [row["count"] != "" for row in builder.view.state["rule"]["rows"]] == [True, *[False] * 4]
    builder.act("set", path=[2], key="value", value="many")
    assert builder.view.state["rule"]["rows"][2]["problem"].startswith("“many” for frequency does not go here")
    builder.act("head", key="title", value="Nobody")
    builder.act("save", at="save")
    assert "a condition is not complete" in builder.view.state["problem"]["text"]
    assert "nobody" not in audiences.names(own)


def test_every_row_and_group_is_counted_alone(own: Workbook) -> None:
    builder = Builder(own, "best_overdue")
    builder.act("wrap", path=[1])
    builder.act("exclude", path=[1])
    rows = builder.view.state["rule"]["rows"]
    with own.engine.read() as session:
        best, overdue, everyone = session.rows(
            "SELECT COUNT(*) FILTER (decile_predicted <= 3) AS best, COUNT(*) FILTER (overdue >= 0.9) AS overdue, "
            "COUNT(*) AS everyone FROM profile.customer"
        )[0].values()
    few = own.params.min_cell
    assert rows[0]["count"] == people_text(best, few)
    assert rows[1]["count"] == people_text(everyone - overdue, few)
    assert rows[1]["rows"][0]["count"] == people_text(overdue, few)


def test_values_of_few_customers_and_of_identities_are_not_offered(own: Workbook) -> None:
    with own.engine.read() as session:
        found = estimate.values_of(session, "profile.customer", "region", 1)
        sizes = {
            value: session.scalar("SELECT COUNT(*) FROM profile.customer WHERE region = $v", v=value) for value in found
        }
        few = sorted(sizes.values())[1]
        assert set(estimate.values_of(session, "profile.customer", "region", few)) == {
            v for v in found if sizes[v] >= few
        }
        assert len(estimate.values_of(session, "lake.email_events", "campaign", 11)) > 0
        for name in ("email", "customer_id"):
            assert estimate.values_of(session, "profile.customer", name, 1) == []


def test_templates_are_offered_where_their_columns_are_and_can_be_counted(own: Workbook, no_mail: Catalog) -> None:
    builder = Builder(own)
    assert len(builder.templates) == 6
    for place, template in enumerate(builder.templates):
        builder.act("template", place=place)
        assert builder.draft.raw["title"] == template["title"]
        said = [row["problem"] for row in builder.view.state["rule"]["rows"]]
        assert said == [""] * len(said) or said == ["Now choose at least one value."]  # of the mail's campaign
    titles = [each["title"] for each in templates.offered(no_mail, GENERAL_WORDS)]
    assert "Never bought from this mail" not in titles and "One purchase only" in titles


@pytest.fixture
def no_mail(own: Workbook) -> Catalog:
    """Of a shop without e-mail."""
    catalog = Builder(own).rows.catalog
    return replace(catalog, events={"purchases": catalog.events["purchases"]})


def test_what_is_typed_into_one_field_is_undone_at_once(own: Workbook) -> None:
    builder = Builder(own)
    builder.act("add", path=[], block="field:frequency")
    for text in ("1", "12"):
        builder.act("set", path=[0], key="value", value=text, typing=True)
    assert builder.draft.raw["rule"]["all"][0]["value"] == 12
    builder.act("undo")
    assert builder.draft.raw["rule"]["all"][0]["value"] == ""


def test_rankings_of_the_params_are_offered_and_come_back_from_the_file(own: Workbook) -> None:
    builder = Builder(own)
    builder.act("add", path=[], block="map:miles_by_status")
    fields = {each["key"]: each for each in builder.view.state["rule"]["rows"][0]["form"]["fields"]}
    assert [value for value, _ in fields["lookback"]["options"]] == ["3 months", "12 months"]
    assert "ALL" not in [value for value, _ in fields["category"]["options"]]  # they are ranked within a status alone
    for key, value in {"category": "GOLD", "lookback": "12 months", "value": "2"}.items():
        builder.act("set", path=[0], key=key, value=value)
    asked = {"map": "miles_by_status", "category": "GOLD", "lookback": "12 months", "op": "at most", "value": 2}
    assert builder.draft.raw["rule"] == {"all": [asked]}
    with own.engine.read() as session:
        met = session.scalar(
            "SELECT COUNT(*) AS n FROM derived.customer_rank WHERE name = 'miles_by_status' AND category = 'GOLD' "
            "AND lookback = '12 months' AND place <= 2"
        )
    assert builder.counted.estimate.count == met > 0
    builder.act("head", key="title", value="Best of gold")
    builder.act("save")
    assert audiences.load(own, "best_of_gold").to_raw()["rule"] == {"all": [asked]}
