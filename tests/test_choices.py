"""What all choices of a board's filters say together: no small group is the difference of two of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clv_helpers import charts, dashboards, ingest, models, simulate
from clv_helpers.charts import Widget
from clv_helpers.charts.show import BOARD_MIME
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.dashboards import static_board
from clv_helpers.dashboards.live_board import LiveBoard
from tests.conftest import SMALL

FEW = 5


def with_few(folder: Path, more: int = 0) -> Workbook:
    """A small airline of which five members alone are FREQUENT; one member has bought `more` times more."""
    workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides=SMALL)
    simulate.make_sources(workbook)
    file = workbook.folder / "source" / "loyalty_events.parquet"
    events = pd.read_parquet(file)
    among = events.loc[events["loyalty_status"] == "FREQUENT", "membership_number"].drop_duplicates()[:FEW]
    frequent = events["loyalty_status"] == "FREQUENT"
    events.loc[frequent, "loyalty_status"] = "SILVER"
    events.loc[events["membership_number"].isin(among), "loyalty_status"] = "FREQUENT"
    if more:
        last = events[(events["loyalty_status"] == "GOLD") & (events["amount"] > 0)].tail(1)
        again = last.assign(event_id=last["event_id"] + "x", amount=1234.56, mileage=7777)
        events = pd.concat([events, again], ignore_index=True)
    events.to_parquet(file)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile", "insights")
    return workbook


def built(tmp_path_factory: pytest.TempPathFactory, more: int) -> Iterator[Workbook]:
    folder = tmp_path_factory.mktemp("few")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder))
        workbook = with_few(folder, more)
        assert workbook.engine.published.is_relative_to(folder)
        yield workbook


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbook]:
    yield from built(tmp_path_factory, 0)


@pytest.fixture(scope="module")
def one_more(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbook]:
    yield from built(tmp_path_factory, 1)


def shown(workbook: Workbook) -> dict[tuple[int, tuple], list[dict[str, Any]]]:
    """All that the value board's page holds: by widget, each choice with its rows."""
    content = static_board.board(workbook, "value").bundle[BOARD_MIME]
    filters, found = content["filters"], {}
    for number, card in enumerate(content["cards"]):
        rows = [row for rows in card["spec"].get("datasets", {}).values() for row in rows]
        wired = card["choices"]["filters"] if card["choices"] else []
        options = [filters[index]["options"] for index, _ in wired]
        for row in rows:
            place, chosen = row.pop("choice", 0), {}
            for (index, count), labels in zip(reversed(wired), reversed(options), strict=True):
                place, chosen[filters[index]["label"]] = place // count, labels[place % count]
            found.setdefault((number, tuple(sorted(chosen.items()))), []).append(row)
    return found


def test_five_of_one_status_are_not_all_less_the_others(few: Workbook) -> None:
    truth = few.query("insights.fact_value_by_decile")
    frequent = truth[truth["category"] == "FREQUENT"].groupby("lookback")[["customers", "value"]].sum()
    assert 0 < frequent["customers"].max() <= FEW
    board = {dict(chosen)["Look-back"] + "/" + dict(chosen)["Status"]: rows[0]
             for (number, chosen), rows in shown(few).items() if number == 0 and "Status" in dict(chosen)}  # fmt: skip
    for lookback, (_, value) in frequent.iterrows():
        assert f"{lookback}/FREQUENT" not in board
        told = {status: board[f"{lookback}/{status}"]["value"] for status in ("ALL", "FLYER", "SILVER", "GOLD")
                if f"{lookback}/{status}" in board}  # fmt: skip
        assert len(told) < 4  # another status is not told either
        rest = told["ALL"] - sum(told[status] for status in told if status != "ALL")
        assert rest > 0.4 * value  # of which any part may be theirs, and any the other status's


def _month_of(row: dict[str, Any]) -> str:
    """The month whose value a row tells: of last year's line it is a year before the one it is drawn at."""
    month = pd.Timestamp(row["month"])
    return str((month - pd.DateOffset(years=row["series"] == "A year before")).date())


def test_no_month_of_five_is_all_less_the_others(few: Workbook) -> None:
    truth = few.query("insights.fact_value_by_month", category="FREQUENT")
    months = {str(month)[:10] for month in truth["month"]}
    told = {status: {_month_of(row): row["value"] for (_, chosen), rows in shown(few).items()
                     if dict(chosen) == {"Status": status, "Months": "all"} for row in rows if "value" in row}
            for status in ("ALL", "FLYER", "FREQUENT", "SILVER", "GOLD")}  # fmt: skip
    assert months & told["ALL"].keys()
    assert not told["FREQUENT"]
    for month in months & told["ALL"].keys():
        assert sum(month in of for of in told.values()) < 4


def test_several_values_do_not_tell_the_one_that_is_left(few: Workbook) -> None:
    """All but the few, or some with them: what is shown of several adds up from what is shown of each."""
    table = few.query("insights.fact_decile_profile", category="FREQUENT")
    board = LiveBoard(few, ["decile"])

    def rows_of(decile: int, statuses: list[str] | None) -> list[dict[str, Any]]:
        board._choose("decile", decile)
        board._choose("category", statuses)
        return [row for card in board.view.cards for rows in (card["spec"] or {}).get("datasets", {}).values()
                for row in rows if "customers" in row]  # fmt: skip

    for decile in map(int, table["decile"].unique()):
        assert rows_of(decile, None)  # there is something to take away from
        for others in (["FLYER", "SILVER", "GOLD"], ["FLYER", "FREQUENT"], ["FREQUENT"]):
            regions = {row["region"] for row in rows_of(decile, others) if "region" in row}
            assert not regions & set(table.loc[table["decile"] == decile, "region"])
            assert not [row for row in rows_of(decile, others) if "frequency_band" in row]


def test_the_same_statuses_are_hidden_in_every_widget(few: Workbook) -> None:
    hidden: dict[int, set[str]] = {}
    for (number, chosen), rows in shown(few).items():
        if dict(chosen).get("Look-back") == "lifetime" and rows:
            hidden.setdefault(number, {"ALL", "FLYER", "FREQUENT", "SILVER", "GOLD"}).discard(dict(chosen)["Status"])
    whole = [one for number, one in hidden.items() if number < 3]  # the three numbers over all deciles
    assert whole == [whole[0]] * 3
    assert "FREQUENT" in whole[0]
    assert 2 <= len(whole[0]) < 4
    assert "ALL" not in whole[0]


def test_live_static_and_shown_hide_the_same(few: Workbook) -> None:
    live = LiveBoard(few, ["value"])
    next(c for c in live.controls.children if c.description == "Status").value = "GOLD"
    alone = dashboards.show(few, "value", {"category": "GOLD", "lookback": "12 months"})
    assert [card["title"] for card in live.view.cards] == [one.bundle["text/plain"] for one in alone.parts]
    static = {number: rows for (number, chosen), rows in shown(few).items()
              if dict(chosen).get("Status") == "GOLD" and dict(chosen).get("Look-back") == "12 months"}  # fmt: skip
    for number, card in enumerate(live.view.cards):
        if number in static:
            assert next(iter(card["spec"]["datasets"].values())) == static[number]


def test_two_reports_do_not_tell_one_purchase(few: Workbook, one_more: Workbook) -> None:
    before, after = shown(few), shown(one_more)
    both = before.keys() & after.keys()  # what is too small in one may be large enough in the other
    assert len(both) >= 0.9 * len(before)
    for place in both:
        for old, new in zip(before[place], after[place], strict=True):
            for name in old:
                if name in ("value", "spend"):
                    single = {"value": 7777, "spend": 1234.56}[name]
                    assert abs(abs(new[name] - old[name]) - single) > 0.01 * single, (place, name, old, new)


def test_a_drill_into_a_decile_shows_its_people_in_merged_bands(few: Workbook) -> None:
    chart = {"title": "{customers} of {frequency_band}", "title_from": "top", "table": "insights.fact_decile_profile",
             "mark": "heatmap", "x": {"column": "frequency_band", "sort": "frequency_order"},
             "y": {"column": "recency_band", "sort": "recency_order"},
             "color": {"column": "customers", "aggregate": "sum"}}  # fmt: skip
    with few.engine.read() as session:
        drawn = charts.picture(session, few, Widget.model_validate(chart), {"decile": 1}, ["decile"])
    everyone = few.query("insights.fact_decile_profile", decile=1)["customers"].sum()
    assert drawn.rows["customers"].min() >= 10
    assert abs(drawn.rows["customers"].sum() - everyone) <= 2.5 * len(drawn.rows)
    assert "shown together with their neighbours" in drawn.subtitle


def drawn(workbook: Workbook, **chart: object) -> pd.DataFrame:
    with workbook.engine.read() as session:
        return charts.picture(session, workbook, Widget.model_validate({"title": "t", **chart})).rows


def test_five_people_in_many_months_are_five(few: Workbook) -> None:
    by_status = {"table": "insights.fact_value_by_month", "mark": "bar", "y": "category"}
    rows = drawn(few, **by_status, x={"column": "spend", "aggregate": "sum"})
    people = few.query("insights.fact_value_by_month", category="FREQUENT")["active_customers"]
    assert people.sum() >= 11 > people.max()
    assert "FREQUENT" not in set(rows["category"])
    assert len(rows) < 4


def test_what_one_chart_names_no_other_gives_away(few: Workbook) -> None:
    table = {"table": "insights.fact_value_by_decile", "mark": "number", "y": {"column": "spend", "aggregate": "sum"}}
    told = [status for status in ("ALL", "FLYER", "FREQUENT", "SILVER", "GOLD")
            if len(drawn(few, **table, filters={"category": status, "lookback": "lifetime"}))]  # fmt: skip
    assert "ALL" in told
    assert "FREQUENT" not in told
    assert len(told) < 4


def test_rows_that_no_shown_column_tells_apart_are_judged_too(few: Workbook) -> None:
    chart = {"table": "insights.fact_value_by_month", "mark": "line", "x": "month", "y": "spend"}
    rows = drawn(few, **chart)
    frequent = few.query("insights.fact_value_by_month", category="FREQUENT")
    for month in set(frequent["month"]) & set(rows["month"]):
        assert len(rows[rows["month"] == month]) < 4


def test_a_curve_begins_where_it_is_about_enough_people(few: Workbook) -> None:
    shown = {"table": "insights.fact_concentration", "mark": "area", "x": "percent_of_customers"}
    rows = drawn(few, **shown, y="share_of_spend").set_index("percent_of_customers")
    truth = few.query("insights.fact_concentration").set_index("percent_of_customers")
    assert (truth["customers"] < 11).any()
    assert set(rows.index) == set(truth.index[truth["customers"] >= 11])
    assert not (rows["share_of_spend"] == truth["share_of_spend"][rows.index])[:-1].any()  # all is all
