"""What notebook 4 and the report show of the audiences: sizes, rules and charts, aggregates only."""

from __future__ import annotations

import datetime as dt
import json

from clv_helpers.adobe import pql
from clv_helpers.audiences import audience_files
from clv_helpers.audiences.catalog import MASKED, event_tables, problems, read_catalog
from clv_helpers.audiences.compile import Context, to_customers
from clv_helpers.audiences.estimate import Estimate, estimate
from clv_helpers.audiences.rule import Audience, Condition, walk
from clv_helpers.audiences.sentence import part_in_words, to_sentence
from clv_helpers.audiences.when import Clock
from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.show import Output
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import to_sql
from clv_helpers.engines.session import Session


def published_context(session: Session, zone: str = "UTC") -> Context:
    """Where a rule is read by readers: the published tables, as of the day they were computed for."""
    as_of = session.scalar("SELECT as_of FROM derived.as_of")
    now = dt.datetime.combine(as_of, dt.time())
    return Context(read_catalog(session, event_tables()), Clock(now, zone), event_tables())


def count(workbook: Workbook, name: str) -> Estimate:
    """How many meet an audience's rule on the published tables, with its funnel. Raises ParamsError."""
    audience = audience_files.load(workbook, name)
    with workbook.engine.read() as session:
        return estimate(session, audience.rule, checked_context(session, name, audience))


def printed(workbook: Workbook, name: str, form: str) -> str:
    """A rule as `text`, `sql`, `spark` (its SQL for Spark), `pql`, `pql-json`, `definition` (for the platform's API)
    or `yaml`. Raises ParamsError, and CannotExpress for what PQL has no form for."""
    return in_language(workbook, audience_files.load(workbook, name), form, name)


def in_language(workbook: Workbook, audience: Audience, form: str, name: str = "the draft") -> str:
    """The same for an audience in hand."""
    tenant = f"_{workbook.name}"
    match form:
        case "text":
            return to_sentence(audience)
        case "yaml":
            return audience_files.to_yaml(audience)
        case "pql":
            return pql.to_text(audience, tenant)
        case "pql-json":
            return pql.to_json(audience, tenant)
        case "definition":
            return json.dumps(pql.to_definition(name, audience, tenant=tenant), indent=2, ensure_ascii=False)
    with workbook.engine.read() as session:
        query = to_customers(audience.rule, checked_context(session, name, audience))
    return to_sql(query, {"sql": "duckdb"}.get(form, form), pretty=True)


def summary(workbook: Workbook, name: str) -> list[Output]:
    """An audience as a run shows it: its count, its sentence, and what each condition removes."""
    audience, found = audience_files.load(workbook, name), count(workbook, name)
    deciles = sum(n * customers for n, customers in found.deciles.items()) / max(1, sum(found.deciles.values()))
    facts = [
        f"{found.count:,} of {found.customers:,} customers ({show.percent(found.share)})",
        f"mean decile {deciles:.1f}",
    ]
    if found.mean_spend is not None:
        facts.append(f"{show.compact(found.mean_spend)} {workbook.params.spending.unit} spent per customer")
    rows = [{"condition": "everyone", "left": found.customers, "removed": 0}]
    rows += [{"condition": part_in_words(s.part), "left": s.left, "removed": s.removed} for s in found.funnel]
    funnel = show.table(rows, condition="Condition", left="Customers left|,.0f", removed="Removed|,.0f")
    return [show.note(f"{audience.title}: {to_sentence(audience)}"), show.note("; ".join(facts) + "."), funnel]


def checked_context(session: Session, name: str, audience: Audience) -> Context:
    """Where readers read a rule. Raises ParamsError where it asks for a column that is not there, or in vain."""
    context = published_context(session, audience.time_zone)
    if found := problems(audience, context.catalog):
        raise ParamsError(f"audiences/{name}.yml", found)
    return context


def sizes(workbook: Workbook) -> Output:
    """The audiences, with their size and what their customers have spent."""
    currency = workbook.params.spending.unit
    return show.table(
        workbook.query("audiences.fact_audience", order_by="audience"),
        title="Audience",
        description="Who is in it",
        customers="Customers|,.0f",
        share_of_customers="Share|.1%",
        spend_per_customer=f"Spend each ({currency})|,.0f",
        mean_decile="Mean decile|.1f",
        mean_days_since_purchase="Mean days since purchase|,.0f",
    )


def sentences(workbook: Workbook) -> Output:
    """Each audience's rule as a sentence, and whether it follows micro-batches."""
    rows = [
        {"title": audience.title, "sentence": to_sentence(audience), "evaluation": audience.evaluation}
        for audience in (audience_files.load(workbook, name) for name in audience_files.names(workbook))
    ]
    return show.table(rows, title="Audience", sentence="Who is in it", evaluation="Evaluated")


def rules(workbook: Workbook) -> Output:
    """Each audience's rule as the SQL that is run, but for those that may name a person."""
    queries = []
    with workbook.engine.read() as session:
        for name in audience_files.names(workbook):
            audience = audience_files.load(workbook, name)
            if any(isinstance(leaf, Condition) and leaf.field in MASKED for _, leaf in walk(audience.rule)):
                queries.append(f"-- {name} asks for people by name, and is not shown here")
                continue
            query = to_customers(audience.rule, published_context(session, audience.time_zone))
            queries.append(f"-- {name}\n{to_sql(query, pretty=True)}")
    return show.folded(show.code(";\n\n".join(queries)), f"The SQL of {len(queries)} audiences")


def chart(workbook: Workbook) -> Output:
    """The audiences side by side."""
    widget = Widget(
        title_from="top",
        title="{title} have spent {spend_per_customer} {currency} each",
        subtitle="Mean spend per customer of each audience so far ({currency})",
        table="audiences.fact_audience",
        mark="bar",
        x=Channel(column="spend_per_customer", title="{currency} per customer", format=",.0f"),
        y=Channel(column="title", title="", sort="-spend_per_customer"),
    )
    return draw(workbook, widget)
