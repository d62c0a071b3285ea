"""The live board without a browser: filters, dates, drill-through and the way back; the composer's draft and files."""

from __future__ import annotations

import copy
import datetime as dt
import shutil
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv_helpers import audiences, dashboards
from clv_helpers.audiences import of_marks, views
from clv_helpers.audiences.compile import to_members
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.rows import Days
from clv_helpers.charts.show import BOARD_MIME
from clv_helpers.conditions import Attribute
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, read_yaml
from clv_helpers.config.workbook import Workbook
from clv_helpers.config.yaml_files import SpecChanged
from clv_helpers.dashboards import filters, static_board
from clv_helpers.dashboards.composer_view import Composer
from clv_helpers.dashboards.controls import BETWEEN
from clv_helpers.dashboards.draft import Draft, problem_of, save
from clv_helpers.dashboards.grid import Choice
from clv_helpers.dashboards.live_board import LiveBoard, ViewState
from clv_helpers.dashboards.proposals import Proposer, channel_of
from clv_helpers.dashboards.spec import Preset
from clv_helpers.editors import files
from clv_helpers.errors import UserError


@pytest.fixture
def own(airline: Workbook, tmp_path: Path) -> Workbook:
    """The airline's tables, with dashboards of this test's own to write to."""
    shutil.copytree(airline.specs, tmp_path / "airline")
    workbook = Workbook(tmp_path / "airline.yml", airline.params)
    workbook.__dict__["engine"] = airline.engine
    return workbook


def file_of(workbook: Workbook, name: str) -> Path:
    return yaml_files.file_of(workbook, "dashboards", name)


def control(board: LiveBoard, label: str):
    return next(c for c in board.controls.children if c.description == label)


def titles(board: LiveBoard) -> list[str]:
    return [card["title"] for card in board.view.cards]


def test_drill_through_keeps_the_filters_and_finds_back(own: Workbook) -> None:
    board = LiveBoard(own, ["value"])
    control(board, "Look-back").value = "lifetime"
    before = titles(board)
    board.drill("decile", "decile", 2)
    assert board.now.name == "decile"
    assert control(board, "Decile").value == "2"
    assert titles(board) == [s.bundle["text/plain"] for s in dashboards.show(own, "decile", {"decile": 2}).parts]
    assert "Lifetime value by decile › Who is in a decile" in board.title.value
    board.back()
    assert board.now.name == "value"
    assert control(board, "Look-back").value == "lifetime"
    assert titles(board) == before


def test_what_the_second_board_has_no_filter_for_can_be_dropped(own: Workbook) -> None:
    board = LiveBoard(own, ["value"])
    board.drill("decile", "region", "Nordics")
    inherited = next(c for c in board.controls.children if c.description.startswith("Region: Nordics"))
    narrowed = [card["spec"] for card in board.view.cards]
    inherited.click()
    assert board.now.inherited == {}
    assert [card["spec"] for card in board.view.cards] != narrowed


def test_days_by_preset_and_by_hand(own: Workbook) -> None:
    board = LiveBoard(own, ["value"])

    def months() -> list[dict]:
        card = next(card for card in board.view.cards if card["title"].startswith("Latest whole month"))
        rows = [row for rows in card["spec"]["datasets"].values() for row in rows]
        return [row for row in rows if row.get("series") == "This year" and "value" in row]

    everything = len(months())
    control(board, "Months").value = "last 3 months"
    assert len(months()) == 3 < everything
    control(board, "Months").value = BETWEEN
    control(board, "from").value, control(board, "to").value = dt.date(2024, 1, 1), dt.date(2024, 2, 28)
    assert [row["month"][:10] for row in months()] == ["2024-01-01", "2024-02-01"]


def test_several_values_of_a_filter_and_what_is_picked_narrow(own: Workbook) -> None:
    board = LiveBoard(own, ["decile"])
    choice = next(control for control in board.controls.children if isinstance(control, Choice))
    column = next(offer.column for offer in board.offers if offer.takes_several)
    before = [card["spec"] for card in board.view.cards]
    choice.value = choice.options[:2]
    assert board.now.chosen[column] == choice.options[:2]
    said = f"{choice.description}: {', '.join(choice.options[:2])}"
    assert any(said in card["subtitle"] for card in board.view.cards)
    choice.value = []
    assert [card["spec"] for card in board.view.cards] == before
    board._hear(column, choice.options[0])
    assert [card["spec"] for card in board.view.cards] != before
    assert all(choice.options[0] in card["sql"] or column in str(card["spec"]) for card in board.view.cards)
    board._hear("")
    assert [card["spec"] for card in board.view.cards] == before


def test_a_widget_with_nothing_to_show_says_what_it_was_narrowed_to_and_is_reset(own: Workbook) -> None:
    board = LiveBoard(own, ["value"])
    began = [(card["title"], card["subtitle"]) for card in board.view.cards]
    assert not [card for card in board.view.cards if card["empty"]]
    board._choose("month", Days(dt.date(1990, 1, 1), dt.date(1990, 1, 31)))
    board._hear("region", "Nordics")
    (empty,) = [card for card in board.view.cards if card["empty"]]
    assert empty["reset"]
    assert empty["title"] == "No data for this choice"
    assert "year before; Status: ALL; Months: 1990-01-01 to 1990-01-31" in empty["subtitle"]
    board._hear(reset=True)
    assert [(card["title"], card["subtitle"]) for card in board.view.cards] == began


def test_an_address_restores_the_view_and_ignores_what_is_not_here(own: Workbook) -> None:
    board = LiveBoard(own, ["value", "migration"])
    control(board, "Months").value = "last 6 months"
    board._hear("decile", 2)
    board.drill("decile", "decile", 2)
    region = next(value for one in board.pictures for value in one.rows.get("region", []))
    board._hear("region", region)
    shown, address = [(card["title"], card["subtitle"]) for card in board.view.cards], board.view.address
    again = LiveBoard(own, ["value", "migration"])
    again._hear(address=f"{address}&filter.category=<b>&pick.month=2024-01-01&x=1&board=nope&%%")
    assert [(card["title"], card["subtitle"]) for card in again.view.cards] == shown
    assert (again.view.address, again.view.picked) == (address, {"column": "region", "value": region})
    assert "is not here: x, Status &lt;b&gt;, Month 2024-01-01, nope" in again.title.value
    again.back()
    assert again.view.picked == {"column": "decile", "value": 2}
    assert control(again, "Months").value == "last 6 months"
    again._hear(address="board=decile")  # no board of its own
    assert again.now.name == "value"
    again._hear(address="board=value&filter.month=2024-01-01%20to%202024-02-28")
    assert again.now.chosen["month"] == Days(dt.date(2024, 1, 1), dt.date(2024, 2, 28))


def test_an_audience_of_a_mark_holds_the_customers_behind_it(own: Workbook) -> None:
    board = LiveBoard(own, ["value", "migration"], make_audience=of_marks.make)
    before = set(audiences.names(own))
    assert board.view.action == ""

    def made(sql: str) -> None:
        board._hear(make=True)
        name = board.view.said.removeprefix("Saved as audiences/").partition(".yml: ")[0]
        assert name not in before
        before.add(name)
        with views.reading(own, name, audiences.load(own, name)) as (session, context, _):
            members = {row["customer_id"] for row in session.rows(to_members(audiences.load(own, name), context))}
            behind = {row["customer_id"] for row in session.rows(f"SELECT customer_id FROM {sql}")}
        assert members == behind
        assert members
        said = people_text(len(members), own.params.min_cell)
        assert board.view.said.endswith(f": {said} {own.words.customers}.")

    ranked = "derived.customer_decile WHERE category = 'ALL' AND lookback_months = {} AND decile = 2"
    board._hear("decile", 2)
    assert board.view.action
    made(ranked.format(12))
    made(ranked.format(12))  # never overwrites
    control(board, "Look-back").value = "lifetime"
    made(ranked.format(0))
    board._hear("frequency_band", "2–3")
    made("insights.dim_customer_band WHERE frequency_band = '2–3'")
    board.drill("decile", "decile", 2)
    made("insights.dim_customer_band WHERE decile_12_months = 2")
    board._hear("region", "Nordics")
    made("insights.dim_customer_band WHERE decile_12_months = 2 AND region = 'Nordics'")
    board.open(ViewState("migration"))
    board._hear("now", 1)
    board._hear(make=True)
    assert board.view.said == "The profile does not know lookback, so no rule of an audience can ask for it."
    assert set(audiences.names(own)) == before


def test_presets_are_whole_months_before_the_day() -> None:
    found = filters.presets(dt.date(2026, 1, 15))
    assert tuple(found) == get_args(Preset)
    assert found["last month"] == Days(dt.date(2025, 12, 1), dt.date(2025, 12, 31))
    assert found["last 12 months"] == Days(dt.date(2025, 1, 1), dt.date(2025, 12, 31))
    assert found["this year"] == Days(dt.date(2026, 1, 1), dt.date(2026, 1, 14))
    assert found["last year"] == Days(dt.date(2025, 1, 1), dt.date(2025, 12, 31))


def test_a_widget_that_fails_says_why_and_the_others_stand(own: Workbook) -> None:
    file = own.specs / "dashboards" / "value.yml"
    file.write_text(file.read_text().replace("{column: month, title", "{column: moth, title"))
    board = LiveBoard(own, ["value"])
    failed = [card for card in board.view.cards if not card["spec"]]
    assert len(failed) == 1
    assert "has no column moth" in failed[0]["html"]
    assert len(board.view.cards) == 10


def test_a_click_that_leads_nowhere_is_named(own: Workbook) -> None:
    file = own.specs / "dashboards" / "value.yml"
    file.write_text(file.read_text().replace("drill: decile", "drill: decil"))
    with pytest.raises(ParamsError, match=r"widgets\[3\].drill is 'decil'; allowed: acquisition, .*decile"):
        dashboards.load(own, "value")


def test_cards_hold_their_query_and_the_state_says_how_fresh(own: Workbook) -> None:
    board = LiveBoard(own, ["value"])
    assert all('"insights"."' in card["sql"] or "insights." in card["sql"] for card in board.view.cards)
    assert "as of 1 January 2025, tables published" in board.state.value


def test_what_was_drawn_before_is_as_if_drawn_anew(own: Workbook) -> None:
    def cards(*choices: tuple[str, str]) -> list[dict]:
        board = LiveBoard(own, ["value"])
        for lookback, status in choices:
            control(board, "Look-back").value, control(board, "Status").value = lookback, status
        return [{name: part for name, part in card.items() if name != "key"} for card in board.view.cards]

    assert cards(("lifetime", "GOLD"), ("1 month", "ALL"), ("lifetime", "GOLD")) == cards(("lifetime", "GOLD"))


def test_tables_published_meanwhile_are_read(own: Workbook) -> None:
    board = LiveBoard(own, ["value"])
    before = board.published.session
    board.redraw()
    assert board.published.session is before
    with own.engine.write(publish=True):
        pass
    board.redraw()
    assert board.published.session is not before


def test_boards_that_a_workbook_lacks_are_left_out(own: Workbook) -> None:
    board = dashboards.board(own, "value", "nope", "forecast")
    assert board is not None
    switch = next(w for w in board.children[0].children if w.description == "Board")
    assert [name for _, name in switch.options] == ["value", "forecast"]


def test_without_a_kernel_each_choice_says_what_the_live_board_would(own: Workbook) -> None:
    content = static_board.board(own, "value").bundle[BOARD_MIME]
    lookbacks = content["filters"][0]["options"]
    card = next(c for c in content["cards"] if c["title"].startswith("The best tenth brings "))
    (wired, count), status = card["choices"]["filters"]
    assert wired == 0
    assert count == len(lookbacks)
    assert status[0] == 1
    number = lookbacks.index("lifetime") * status[1] + content["filters"][1]["options"].index("ALL")
    live = dashboards.show(own, "value", {"lookback": "lifetime"})
    assert card["choices"]["texts"][number][0] in [s.bundle["text/plain"] for s in live.parts]
    rows = [row for row in next(iter(card["spec"]["datasets"].values())) if row["choice"] == number]
    assert len(rows) == 10


def test_where_all_choices_are_too_many_the_filters_with_the_fewest_are_followed(
    own: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_board, "MOST_CHOICES", 6)
    content = static_board.board(own, "value").bundle[BOARD_MIME]
    lookback, status, _ = [len(each["options"]) for each in content["filters"]]
    assert lookback * status > 6 >= status
    card = next(c for c in content["cards"] if c["title"].startswith("The best tenth brings "))
    assert card["choices"]["filters"] == [[1, status]]


# the composer

SPEND = Attribute("spend", "number", "")
STATUS = Attribute("category", "text", "")
BY_STATUS = "insights.fact_value_by_category"


def state(composer: Composer) -> dict:
    return composer.view.state


def test_a_widget_is_composed_step_by_step_and_undone(own: Workbook) -> None:
    draft = Draft(None, Proposer(own))
    assert "empty" in problem_of(draft.widget)
    draft.add(BY_STATUS)
    assert problem_of(draft.widget) == "Choose columns of the table: they are drawn at once."
    draft.put("x", STATUS)
    assert problem_of(draft.widget) == "A bar needs y: choose a column, and put it there."
    draft.put("y", SPEND)
    draft.swap()
    assert draft.widget["x"] == {"column": "spend", "aggregate": "sum", "format": ".3~s"}
    assert draft.widget["y"] == {"column": "category"}
    assert problem_of(draft.widget) == ""
    assert (draft.widget["title"], draft.widget["subtitle"]) == ("Spend by status", "EUR")
    draft.set("filters.category", ["GOLD", "SILVER"])
    assert draft.widget["subtitle"] == "EUR; status: GOLD or SILVER"
    draft.set("title", "Who brings it")
    draft.put("color", STATUS)
    draft.duplicate()
    draft.move_to(0)
    draft.resize(1)
    assert [w["title"] for w in draft.widgets] == ["Who brings it (copy)", "Who brings it"]
    assert draft.widget["width"] == "two thirds"
    draft.delete()
    assert len(draft.widgets) == 1
    composed = copy.deepcopy(draft.raw)
    for _ in range(12):
        draft.undo()
    assert draft.raw == Draft().raw
    assert not draft.can_undo
    for _ in range(12):
        draft.redo()
    assert draft.raw == composed


def test_a_proposed_unit_is_that_of_the_column(own: Workbook) -> None:
    propose = Proposer(own)

    def said(table: str, column: str) -> dict:
        return propose({"table": table, "mark": "number", "y": channel_of(Attribute(column, "number", ""))})

    assert said("insights.fact_value_by_region", "value") == {"title": "Miles", "subtitle": "Miles"}
    assert said("lifetime.value_by_decile", "value") == {"title": "Value", "subtitle": "EUR"}
    assert said("campaigns.fact_campaign_result", "value") == {"title": "Value", "subtitle": ""}  # not known
    mean = said("insights.fact_value_by_decile", "value_per_customer")
    assert mean == {"title": "Mean value per member", "subtitle": "Miles, mean of the rows, each counted once"}


def test_an_emptied_title_is_proposed_again(own: Workbook) -> None:
    draft = Draft(None, Proposer(own))
    draft.add(BY_STATUS)
    draft.put("y", SPEND)
    draft.set("title", "Mine")
    draft.put("x", STATUS)
    assert draft.widget["title"] == "Mine"
    draft.set("title", "")
    assert draft.widget["title"] == "Spend by status"


def test_what_names_a_column_goes_with_it_and_else_stays(own: Workbook) -> None:
    composer = Composer(own, "value")
    composer.act("select", place=3)
    assert composer.draft.widget["highlight"] == {"decile": 1} and not state(composer)["isChanged"]
    composer.act("set", path="width", value="full")
    assert state(composer)["isChanged"]
    assert composer.draft.widget["title"].startswith("The best tenth brings {share_of_value}")
    composer.act("take", column="spend")
    assert composer.draft.widget["title"] == "Spend by decile"
    assert composer.draft.widget["highlight"] == {"decile": 1}
    composer.act("put", shelf="x", column="category")
    assert "highlight" not in composer.draft.widget
    assert state(composer)["widget"]["problem"] == ""
    composer.act("set", path="subtitle", value=None)
    composer.act("set", path="width", value="third")
    assert "subtitle" not in composer.draft.widget


def test_columns_are_chosen_and_drawn_at_once(own: Workbook) -> None:
    composer = Composer(own)
    composer.act("add", table="insights.fact_value_by_region")
    for column in ("region", "spend", "market"):
        composer.act("take", column=column)
    [card] = state(composer)["cards"]
    encoding = card["spec"]["encoding"]
    assert [encoding[axis]["field"] for axis in ("x", "y", "color")] == ["region", "spend", "market"]
    assert card["title"] == "Spend by region and market"
    assert state(composer)["proposedName"] == "spend_by_region_and_market"
    assert [s["form"] for s in state(composer)["suggestions"]] == [
        "vertical bars",
        "heat map",
        "horizontal bars",
        "table",
    ]
    composer.act("suggest", place=1)
    assert composer.draft.widget["mark"] == "heatmap"
    composer.act("take", column="market")
    assert "market" not in str(composer.draft.widget)


def test_overlapping_rows_are_not_added_up(own: Workbook) -> None:
    """Rows of all and of each status, and of each look-back, stand in one table."""
    composer = Composer(own)
    composer.act("add", table="insights.fact_value_by_decile")
    assert composer.draft.widget["filters"] == {"category": "ALL", "lookback": "12 months"}
    for column in ("category", "value"):
        composer.act("take", column=column)
    assert composer.draft.widget["filters"] == {"lookback": "12 months"}
    assert composer.draft.widget["exclude"] == {"category": "ALL"}
    assert state(composer)["cards"][0]["subtitle"].startswith("Miles; lookback: 12 months")
    composer.act("take", column="category")
    assert composer.draft.widget["filters"] == {"category": "ALL", "lookback": "12 months"}
    assert "exclude" not in composer.draft.widget


def test_tables_for_people_come_first_with_a_sentence_each(own: Workbook) -> None:
    tables = state(Composer(own))["tables"]
    first = {table["name"]: table for table in tables if table["first"]}
    assert 15 <= len(first) <= 30
    assert all(table["about"] for table in first.values())
    assert first["insights.fact_value_by_region"]["about"].startswith("a region")  # the analyst's own
    assert len(tables) > len(first)
    assert not any("customer_id" in table["columns"] for table in tables)


def test_what_cannot_be_done_is_said_where_it_was_tried(own: Workbook) -> None:
    composer = Composer(own)
    composer.act("add", table=BY_STATUS)
    composer.act("take", at="chip", column="nope")
    assert state(composer)["problem"]["at"] == "chip"
    assert "the column is 'nope'; allowed: category" in state(composer)["problem"]["text"]
    composer.act("set", path="height", value=5)
    composer.act("take", column="category")
    assert "height is 5; allowed: greater" in state(composer)["widget"]["problem"]
    composer.act("format_disk")
    assert "the action is 'format_disk'; allowed: undo" in state(composer)["problem"]["text"]


def test_filters_of_widget_and_board_highlight_and_drill(own: Workbook) -> None:
    composer = Composer(own)
    composer.act("add", table="insights.fact_decile_profile")
    for column in ("region", "customers"):
        composer.act("take", column=column)
    composer.act("filter", column="decile")
    assert composer.draft.widget["filters"]["decile"] == 1
    composer.act("turn_filter", kind="filters", column="decile")
    assert composer.draft.widget["exclude"]["decile"] == 1
    composer.act("highlight", column="region", value="Nordics")
    composer.act("set", path="drill", value="decile")
    composer.act("offer", column="category")
    composer.act("set_offer", place=0, key="label", value="Held now")
    assert composer.draft.raw["filters"] == [
        {"column": "category", "table": "insights.fact_decile_profile", "label": "Held now"}
    ]
    composer.act("save")
    assert state(composer)["problem"]["text"] == ""
    board = LiveBoard(own, [composer.opened])
    assert control(board, "Held now").value == []  # which is all
    assert board.view.cards[0]["drill"] == "decile"
    composer.act("withdraw", place=0)
    assert "filters" not in composer.draft.raw


def test_saving_keeps_the_comments_of_the_file(own: Workbook) -> None:
    file = file_of(own, "decile")
    file.write_text(
        "# Who they are.\ntitle: A decile  # one of ten\nwidgets:\n"
        "  # by region\n"
        "  - title: Regions\n    table: insights.fact_decile_profile  # small groups\n    mark: bar\n"
        "    x: {column: customers, aggregate: sum}\n    y: region\n"
        "  - title: Status\n    table: insights.fact_decile_profile\n    mark: bar\n"
        "    x: {column: customers, aggregate: sum}\n    y: category  # held now\n"
    )
    draft = Draft(read_yaml(file))
    draft.set("title", "Where they live")
    draft.move(1)
    save(own, "decile", draft.raw, yaml_files.fingerprint(file))
    text = file.read_text()
    for comment in ("# Who they are.", "# one of ten", "# held now"):
        assert comment in text
    assert read_yaml(file) == draft.raw


def test_saving_refuses_to_write_over_anothers_change(own: Workbook) -> None:
    composer = Composer(own, "decile")
    file = file_of(own, "decile")
    file.write_text(file.read_text() + "# changed meanwhile\n")
    with pytest.raises(SpecChanged, match=r"dashboards/decile.yml was changed by another"):
        composer.save()
    assert file.read_text().endswith("# changed meanwhile\n")
    composer.rename("value")
    with pytest.raises(SpecChanged, match=r"dashboards/value.yml exists already"):
        composer.save()
    composer.rename("../outside")
    with pytest.raises(ParamsError, match="the dashboard's name is '../outside'"):
        composer.save()


def test_an_incomplete_board_is_not_saved(own: Workbook) -> None:
    composer = Composer(own)
    composer.act("add", table=BY_STATUS)
    composer.rename("half")
    with pytest.raises(ParamsError, match="is a bar, which needs x and y"):
        composer.save()
    assert not file_of(own, "half").exists()


def test_composed_saved_and_loaded_again(own: Workbook) -> None:
    composer = Composer(own)
    composer.act("add", table=BY_STATUS)
    composer.act("put", shelf="x", column="spend")
    composer.act("put", shelf="y", column="category")
    composer.act("set", path="mark", value="table")
    assert "A table needs columns" in state(composer)["widget"]["problem"]
    composer.act("undo")
    composer.act("save")
    assert state(composer)["status"] == "Saved as dashboards/spend_by_status.yml"
    assert not state(composer)["isChanged"]
    again = Composer(own, "spend_by_status")
    assert again.draft.raw == composer.draft.raw
    assert again.draft.raw["title"] == "Spend by status"
    assert LiveBoard(own, ["spend_by_status"]).view.cards[0]["spec"]
    again.act("delete_board")
    assert "spend_by_status" not in dashboards.names(own)


@pytest.mark.parametrize("name", ["migration", "audiences"])
def test_a_built_in_board_is_composed_into_ones_own(own: Workbook, name: str) -> None:
    composer = Composer(own, name)
    assert composer.draft.raw["widgets"]
    assert [card["problem"] for card in state(composer)["cards"]] == ["" for _ in composer.draft.widgets]
    with pytest.raises(UserError, match=f"{name} has no file of yours to delete"):
        composer.delete_board()
    composer.head("title", "Ours")
    composer.save()
    assert dashboards.load(own, name).title == "Ours"
    composer.delete_board()
    assert not file_of(own, name).exists()
    assert dashboards.load(own, name).title != "Ours"  # the built-in one again


def test_the_sql_of_a_built_in_board_is_shown_and_saved_as_ones_own(own: Workbook) -> None:
    composer = Composer(own, "audiences")
    composer.act("select", place=1)
    text = state(composer)["sql"]["text"]
    assert "largest" in text
    assert {column["name"] for column in state(composer)["columns"]} == {"audience", "other", "customers"}
    composer.act("use_sql", name="audience_overlap", text=text)
    assert file_of(own, "audience_overlap").with_suffix(".sql").read_text() == text.rstrip() + "\n"


def test_sql_of_ones_own_is_parsed_previewed_and_used(own: Workbook) -> None:
    composer = Composer(own)
    for wrong, says in [
        ("DELETE FROM x", "allowed: a single SELECT"),
        ("SELECT nope FROM insights.dim_date", "nope"),
        ("SELECT customer_id FROM profile.customer", "names a person"),
    ]:
        composer.act("use_sql", at="sql.text", name="by_region", text=wrong)
        assert says in state(composer)["problem"]["text"]
    assert not (own.specs / "dashboards" / "by_region.sql").exists()
    good = "SELECT region, SUM(customers) AS customers FROM insights.fact_decile_profile GROUP BY region"
    composer.act("use_sql", name="by_region", text=good)
    assert "Nordics" in str(state(composer)["sql"]["rows"])
    assert composer.draft.widget["sql"] == "by_region"
    assert [column["name"] for column in state(composer)["columns"]] == ["region", "customers"]
    composer.act("preview_sql", text="SELECT nope")
    assert state(composer)["sql"]["text"] == "SELECT nope"  # what was typed stays
    (own.specs / "dashboards" / "by_region.sql").write_text("SELECT 1 AS one\n")
    composer.act("use_sql", name="by_region", text=good)
    assert "was changed by another" in state(composer)["problem"]["text"]


PLAIN = st.recursive(
    st.one_of(st.integers(), st.text("ab #:", max_size=5), st.booleans()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["title", "x", "y"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), PLAIN), st.dictionaries(st.sampled_from(["a", "b", "c"]), PLAIN)
)
def test_what_is_written_is_what_was_drafted(before: dict, now: dict) -> None:
    yaml = yaml_files.round_trip()
    earlier = yaml.load(yaml_files.dump(before)) or {}
    text = yaml_files.dump(files.merged(earlier, now))
    assert yaml.load(text) == now
