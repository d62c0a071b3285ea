"""What notebook 4 and the report show of the audiences: sizes, rules and charts, aggregates only."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from clv_helpers.audiences import audience_files
from clv_helpers.audiences.catalog import MASKED, event_tables, read_catalog
from clv_helpers.audiences.checks import problems
from clv_helpers.audiences.compile import GIVEN, Context, to_members
from clv_helpers.audiences.estimate import Estimate, estimate
from clv_helpers.audiences.formats import formats
from clv_helpers.audiences.given import make_given, select_of
from clv_helpers.audiences.rule import Audience, walk
from clv_helpers.audiences.sentence import part_in_words, to_sentence
from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import CustomerList, Output, upper_first
from clv_helpers.conditions.condition import Condition
from clv_helpers.conditions.when import Clock
from clv_helpers.config.params import Params
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import to_sql
from clv_helpers.engines.guarded_query import MEMORY
from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import pandas as pd

LISTS = 3  # of customers to act on, on the report's first page
OWN_FORMATS = {"text": "", "yaml": "", "sql": "duckdb", "spark": "spark"}  # and of the SQL ones their dialect


def published_context(session: Session, params: Params, zone: str = "UTC") -> Context:
    """Where a rule is read by readers: the published tables, as of the day they were computed for."""
    as_of = session.scalar("SELECT as_of FROM derived.as_of")
    now = dt.datetime.combine(as_of, dt.time())
    events = event_tables(params)
    return Context(read_catalog(session, events, params.in_words(), params), Clock(now, zone), events, params)


def checked_context(session: Session, params: Params, name: str, audience: Audience) -> Context:
    """Where readers read an audience. Raises ParamsError for a column that is not there, or does not go with it."""
    context = replace(published_context(session, params, audience.time_zone), name=name)
    if wrong := problems(audience, context.catalog):
        raise ParamsError(f"audiences/{name}.yml", wrong)
    return context


@contextlib.contextmanager
def reading(workbook: Workbook, name: str, audience: Audience) -> Iterator[tuple[Session, Context, str]]:
    """The published tables, where an audience is read in them, and how many of its list are customers, in words.

    Raises ParamsError as `checked_context` and for what is wrong with its SQL or list; QueryError where its SQL fails.
    """
    with workbook.engine.read(memory=MEMORY if audience.sql else "") as session:
        context = checked_context(session, workbook.params, name, audience)
        yield session, context, make_given(session, workbook, name, audience)


def count(workbook: Workbook, name: str) -> Estimate:
    """How many are in an audience by the published tables, with its funnel and branches. Raises ParamsError.

    Cost: a scan of the profile, and of the events for each condition on them.

    Example:
        >>> from clv_helpers import audiences
        >>> estimate = audiences.count(wb, "best_now_quiet")
        >>> 0 <= estimate.count <= estimate.customers, len(estimate.funnel)
        (True, 2)
    """
    audience = audience_files.load(workbook, name)
    with reading(workbook, name, audience) as (session, context, note):
        return replace(estimate(session, audience, context), note=note)


def printed(workbook: Workbook, name: str, form: str) -> str:
    """A rule as `text`, `sql`, `spark` (its SQL for Spark), `yaml`, or in an installed format: `pql`, `pql-json`,
    `definition` (for the platform's API). Raises ParamsError, and CannotExpress for what a format has no form for.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.printed(wb, "best_now_quiet", "text")
        'Members whose decile over their lifetime is at most 3 and whose days since flight is between 90 and 365.'
    """
    return in_language(workbook, audience_files.load(workbook, name), form, name)


def in_language(workbook: Workbook, audience: Audience, form: str, name: str = "the draft") -> str:
    """The same for an audience in hand."""
    if form == "text":
        return to_sentence(audience, workbook.words)
    if form == "yaml":
        return audience_files.to_yaml(audience)
    if form in OWN_FORMATS:
        with workbook.engine.read() as session:
            context = checked_context(session, workbook.params, name, audience)
        if audience.sql is not None:
            context = replace(context, given=select_of(workbook, name, audience.sql))
        listed = f"-- {GIVEN}: whom the list {audience.list_} names\n" if audience.list_ else ""
        return listed + to_sql(to_members(audience, context), OWN_FORMATS[form], pretty=True)
    if form not in formats():
        raise ParamsError("the audience", [Problem("format", repr(form), ", ".join([*OWN_FORMATS, *formats()]))])
    return formats()[form](name, audience, f"_{workbook.name}")


def summary(workbook: Workbook, name: str) -> list[Output]:
    """An audience as a run shows it: its sentence, its count, and what each condition removes."""
    audience, estimated = audience_files.load(workbook, name), count(workbook, name)
    words, deciles, few = workbook.words, estimated.deciles, workbook.params.min_cell
    of_them = functools.partial(show.about, people=estimated.count, min_cell=few)
    mean_decile = sum(n * customers for n, customers in deciles.items()) / max(1, sum(deciles.values()))
    facts = [show.share_of(estimated.count, estimated.customers, words.customers, few)]
    if estimated.count >= few:
        facts.append(f"mean decile {of_them(mean_decile, write='{:.1f}'.format)}")
    if estimated.mean_spend is not None and estimated.count >= few:
        facts.append(f"{of_them(estimated.mean_spend)} {workbook.params.spending.unit} spent per {words.customer}")
    rows = [{"condition": "everyone", "left": estimated.customers, "removed": 0}]
    rows += [
        {"condition": part_in_words(step.part, words), "left": step.left, "removed": step.removed}
        for step in estimated.funnel
    ]
    left = f"{upper_first(words.customers)} left|,.0f"
    funnel = show.table(
        rows,
        condition="Condition",
        left=left,
        removed="Removed|,.0f",
        people={"left": "left", "removed": "removed"},
        min_cell=few,
    )
    facts += [f"{branch}: {people_text(customers, few)}" for branch, customers in estimated.branches.items()]
    facts += [estimated.note] if estimated.note else []
    sentence = show.note(f"{audience.title}: {to_sentence(audience, words)}")
    return [sentence, show.note("; ".join(facts) + "."), funnel]


def sizes(workbook: Workbook) -> Output:
    """The audiences as a table: their size, what their customers have spent and will bring. One row: an audience.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.sizes(wb).bundle["text/plain"]
        '9 rows'
    """
    currency, words = workbook.params.spending.unit, workbook.words
    measures = ("customers", "share_of_customers", "spend_per_customer", "mean_decile", "mean_days_since_purchase")
    rows, few = workbook.query("audiences.fact_audience", order_by="audience"), workbook.params.min_cell
    coming = {}
    if rows["lifetime_value"].notna().any():
        numbers = rows[["lifetime_value", "value_low", "value_high"]].fillna(0.0).to_numpy()
        told = zip(numbers, rows["customers"], strict=True)
        rows["to_come"] = [show.with_bounds(each, "", customers, few) for each, customers in told]
        coming = {"to_come": f"Predicted value ({currency}), 80 % interval|>"}
    shown = show.table(
        rows,
        title="Audience",
        description="Who is in it",
        customers=f"{upper_first(words.customers)}|,.0f",
        share_of_customers=f"Share of all {words.customers}|.1%",
        spend_per_customer=f"Spend per {words.customer} ({currency})|,.0f",
        mean_decile="Mean decile|.1f",
        mean_days_since_purchase=f"Mean days since {words.purchase}|,.0f",
        **coming,
        people=dict.fromkeys(measures, "customers"),  # audiences overlap: their sizes add up to nothing
        min_cell=few,
    )
    return show.with_lists(shown, *_most_worth(rows, currency, workbook))


def _most_worth(rows: pd.DataFrame, currency: str, workbook: Workbook) -> list[CustomerList]:
    """The audiences of those who have spent most each, but for such as are too few to tell of."""
    few, told = workbook.params.min_cell, rows[rows["customers"] >= workbook.params.min_cell]
    best = told.sort_values("spend_per_customer", ascending=False, kind="stable")[:LISTS]
    return [
        CustomerList(
            row["title"],
            row["description"],
            f"{people_text(row['customers'], few)} {workbook.words.customers}",
            f"{show.about(row['spend_per_customer'], row['customers'], few)} {currency} each so far",
        )
        for row in best.to_dict("records")
    ]


def sentences(workbook: Workbook) -> Output:
    """Each audience's rule as a sentence, and when it is evaluated. One row: an audience.

    Example:
        >>> from clv_helpers import audiences
        >>> audiences.sentences(wb).bundle["text/plain"]
        '9 rows'
    """
    rows = [
        {
            "title": audience.title,
            "sentence": to_sentence(audience, workbook.words),
            "evaluation": "after each micro-batch" if audience.evaluation == "streaming" else "on schedule",
        }
        for audience in (audience_files.load(workbook, name) for name in audience_files.names(workbook))
    ]
    return show.table(rows, title="Audience", sentence="Who is in it", evaluation="Evaluated", people=None)


def rules(workbook: Workbook) -> Output:
    """Each audience's rule as the SQL that is run, but for those that may name a person.

    Example:
        >>> from clv_helpers import audiences
        >>> "SELECT" in audiences.rules(wb).bundle["text/plain"]
        True
    """
    queries = []
    with workbook.engine.read() as session:
        for name in audience_files.names(workbook):
            audience = audience_files.load(workbook, name)
            if any(isinstance(leaf, Condition) and leaf.field in MASKED for _, leaf in walk(audience.rule)):
                queries.append(f"-- {name} asks for people by name, and is not shown here")
                continue
            if audience.sql is not None:
                queries.append(f"-- {name} is SQL of your own, which may name people, and is not shown here")
                continue
            query = to_members(
                audience, replace(published_context(session, workbook.params, audience.time_zone), name=name)
            )
            queries.append(f"-- {name}\n{to_sql(query, pretty=True)}")
    return show.folded(show.code(";\n\n".join(queries)), f"The SQL of {len(queries)} audiences")


def chart(workbook: Workbook) -> Output:
    """The audiences side by side, by the mean spend of those in them.

    Example:
        >>> from clv_helpers import audiences
        >>> type(audiences.chart(wb)).__name__
        'Output'
    """
    customer = workbook.words.customer
    widget = Widget(
        title_from="top",
        title="{title} have spent {spend_per_customer} {currency} each",
        subtitle=f"Mean spend per {customer} of each audience so far ({{currency}})",
        table="audiences.fact_audience",
        mark="bar",
        x=Channel(column="spend_per_customer", title=f"{{currency}} per {customer}", format=",.0f"),
        y=Channel(column="title", title="", sort="-spend_per_customer"),
    )
    return draw(workbook, widget)
