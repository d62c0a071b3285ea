"""The star model: its tables, their relations, the checks that hold, and a sentence on trend and migration."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from clv_helpers import models
from clv_helpers.charts import Widget, draw, show
from clv_helpers.charts.rounding import people_text, rounded
from clv_helpers.charts.show import Output
from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.validation import read_yaml
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.insights import drawing
from clv_helpers.insights.drawing import Model
from clv_helpers.models.build import RefreshRow
from clv_helpers.models.checks import checks as try_checks
from clv_helpers.models.checks import key_checks
from clv_helpers.models.own_tables import OWN_SCHEMA
from clv_helpers.models.table_file import DAILY

KINDS = {
    "key": "each key once, and never empty",
    "relation": "each value has its row in the other table",
    "invariant": "sums that must be equal are equal",
}


def model(workbook: Workbook, built: list[RefreshRow]) -> Output:
    """The tables of a refresh, behind a line: what a row is, how many, when they last changed, what was done.

    Example:
        >>> insights.model(wb, models.refresh(wb, *models.MODEL)).bundle["text/plain"]  # doctest: +ELLIPSIS
        '... rows'
    """
    fresh = {row["table_name"]: row["refreshed_at"] for row in workbook.query("lake.checkpoint").to_dict("records")}
    few = workbook.params.min_cell
    with workbook.engine.read() as session:
        of_people = {n for n in fresh if session.has_table(n) and PRIMARY_IDENTITY in session.columns(table(n))}
    rows = [
        {**asdict(row), "fresh": f"{fresh[name]:%Y-%m-%d %H:%M}", "rows": _rows(row.rows, few, name in of_people)}
        for row in sorted(built, key=lambda row: row.table)
        if (name := row.table.removesuffix(DAILY)) in fresh
    ]
    changed = sum(row.is_changed for row in built)
    seconds = sum(row.seconds for row in built)
    line = f"{len(rows)} tables and views, {changed} of them brought up to date in {seconds:.1f} s"
    listed = show.table(
        rows,
        table="Table",
        one_row="One row is",
        rows="Rows|,.0f",
        fresh="Changed (UTC)",
        mode="Now",
        seconds="Seconds|.2f",
        people=None,
    )
    return show.folded(listed, line)


def _rows(count: int | None, min_cell: int, of_people: bool) -> int | None:
    """How many rows a table has, as of people: some tables have a row for each, and then none is told of few."""
    if count is not None and of_people and 0 < count < min_cell:
        return None
    return count if count is None else int(rounded([count], [max(count, min_cell)], min_cell)[0])


def key_figures(workbook: Workbook) -> Output:
    """Of the platform's key figures those that are one number: how many profiles, audiences and destinations.

    Example:
        >>> insights.key_figures(wb).bundle["text/plain"]
        '4 rows'
    """
    sizes, few = workbook.query("kpi.audience_size", order_by="profiles"), workbook.params.min_cell
    largest = (
        f"the largest: {sizes['title'].iloc[-1]}, {people_text(sizes['profiles'].iloc[-1], few)} "
        f"{workbook.words.customers}"
        if len(sizes)
        else ""
    )
    used = workbook.query("kpi.most_used_destinations", order_by="audiences")
    counted = {
        "Profiles": (people_text(workbook.query("kpi.profile_count")["profiles"].sum(), few), ""),
        "… known by one identity alone": (
            people_text(workbook.query("kpi.single_identity_profiles")["profiles"].sum(), few),
            "",
        ),
        "Audiences": (str(len(sizes)), largest or "evaluated in stage 4"),
        "Destinations": (str(len(used)), ", ".join(used["destination"])),
    }
    rows = [{"what": what, "number": number, "note": note} for what, (number, note) in counted.items()]
    return show.table(rows, what="Key figure", number="Number|>", note="Note", people=None)


def read_model(workbook: Workbook) -> Model:
    """The tables of the schema insights as they are published, an analyst's own among them."""
    tables = models.all_tables(workbook, OWN_SCHEMA)
    with workbook.engine.read() as session:
        published = set(session.tables())
        tables = [model for model in tables if model.name in published]
        columns = {model.name: session.columns(table(model.name)) for model in tables}
    return Model(tables, columns)


def diagram(workbook: Workbook) -> Output:
    """The model as a picture.

    Example:
        >>> insights.diagram(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        '... tables, ... relations'
    """
    star = read_model(workbook)
    words = f"{len(star.tables)} tables, {len(star.relations)} relations"
    return Output({"text/html": drawing.draw(star), "text/plain": words})


def as_graph(workbook: Workbook) -> dict[str, Any]:
    """The model as nodes (table, one_row, key, columns …) and edges (table, column, to_table, to_column).

    Example:
        >>> sorted(insights.as_graph(wb))
        ['edges', 'nodes']
    """
    star = read_model(workbook)
    nodes = [
        {
            "table": model.name,
            "one_row": model.one_row,
            "key": list(model.key),
            "columns": star.columns[model.name],
            "own": not model.is_ours,
            "kept_by_day": model.snapshot,
        }
        for model in star.tables
    ]
    return {"nodes": nodes, "edges": [asdict(relation) for relation in star.relations]}


def checks(workbook: Workbook) -> Output:
    """Every key, relation and invariant of the published model, tried now: how many hold, and which do not.

    Cost: a pass over the keys of all tables.

    Example:
        >>> insights.checks(wb).bundle["text/plain"]
        '3 rows'
    """
    tables = read_model(workbook).tables
    with workbook.engine.read() as session:
        bindings = workbook.bindings(session)
        tried = [*key_checks(session, tables), *try_checks(session, tables, bindings)]
    rows = []
    for kind, asks in KINDS.items():
        of_kind = [check for check in tried if check.kind == kind]
        wrong = [f"{check.table}: {check.wrong}" for check in of_kind if check.wrong]
        rows.append(
            {"kind": f"{kind.capitalize()}s", "asks": asks, "tried": len(of_kind), "wrong": "; ".join(wrong) or "none"}
        )
    return show.table(rows, kind="Checks", asks="What must hold", tried="Tried|,.0f", wrong="Broken", people=None)


def migration(workbook: Workbook, lookback_months: int = 12) -> Output:
    """A sentence on who moved between deciles, over one look-back.

    Example:
        >>> insights.migration(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'Since ... of the best tenth are still in it.'
    """
    who = workbook.words.customers
    rows = workbook.query("insights.fact_decile_migration", lookback_months=lookback_months)
    both = rows[(rows["decile_before"] > 0) & (rows["decile_now"] > 0)]
    if both.empty:
        return show.note("Nobody was ranked both then and now, so nobody moved between deciles.")
    up = int(both.loc[both["decile_now"] < both["decile_before"], "customers"].sum())
    down = int(both.loc[both["decile_now"] > both["decile_before"], "customers"].sum())
    new, gone = (int(rows.loc[rows[when] == 0, "customers"].sum()) for when in ("decile_before", "decile_now"))
    best = rows[rows["decile_before"] == 1]
    few, still = workbook.params.min_cell, best.loc[best["decile_now"] == 1, "customers"].sum()
    rose, fell, came, left = (people_text(count, few) for count in (up, down, new, gone))
    return show.finding(
        f"Since {rows['before_on'].iloc[0]:%B %Y}, {rose} {who} rose by a decile or more and {fell} fell; {came} are "
        f"newly ranked, and {left} not any more. {show.share(still, best['customers'].sum(), few)} of the best tenth "
        "are still in it.",
        topic="migration",
        board="migration",
    )


def trend(workbook: Workbook) -> Output:
    """A sentence on the last twelve whole months against the twelve before.

    Example:
        >>> insights.trend(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'The last twelve whole months brought ...'
    """
    months = workbook.query("insights.fact_value_by_month", order_by="month", category="ALL")
    if len(months) < 24:
        return show.note(f"There are {len(months)} whole months so far; a year-on-year comparison needs 24.")
    before, after = (float(part["spend"].sum()) for part in (months[-24:-12], months[-12:]))
    change = after / before - 1
    word = "more" if change >= 0 else "less"
    people, few = months["active_customers"][-24:].max(), workbook.params.min_cell
    brought, by = show.about(after, people, few), show.about(abs(change), people, few, "{:.0%}".format)
    return show.finding(
        f"The last twelve whole months brought {brought} {workbook.params.spending.unit}, {by} {word} than the twelve "
        "before.",
        topic="trend",
        stake=show.rounded_sum(abs(after - before), people, few),
        board="customers",
    )


def first_products(workbook: Workbook) -> Output:
    """A chart of what customers have spent since, by what they bought first; nothing where no products are named.

    Example:
        >>> insights.first_products(wb).parts
        ()
    """
    if not workbook.params.has_products:
        return show.stack()
    return draw(workbook, Widget.model_validate(read_yaml(Path(__file__).with_name("charts.yml"))["first_product"]))
