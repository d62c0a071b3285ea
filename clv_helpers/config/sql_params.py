"""What the `$names` in the sql/ tables stand for, as far as the params say it: values, and columns chosen there."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from clv_helpers.config.attributes import ZERO, aggregates, formulas
from clv_helpers.config.attribution import touch_events
from clv_helpers.config.covariates import covariate_queries
from clv_helpers.config.datasets import (
    DATASETS,
    EMAIL_NAMESPACE,
    EVENT_DATASETS,
    EVENT_TIME,
    PRIMARY_IDENTITY,
    PRODUCT_ATTRIBUTES,
    TOUCH_ATTRIBUTES,
    ColumnType,
)
from clv_helpers.config.params import DEFAULT_CAMPAIGN, Params
from clv_helpers.config.settings import Measure
from clv_helpers.engines.dialect import cast, column, expression, is_in, literal, table

NO_CATEGORY = "ALL"
NEWEST = "SELECT * EXCLUDE (_batch_id, age) FROM newest WHERE age = 1"
AS_IT_CAME = "COALESCE(source_customer_id, customer_id)"
TOGETHER = "SELECT customer_id, $together FROM $rows AS r GROUP BY customer_id"
# Of two ids of one batch the one that joined later is newer; then by text, so that the order of rows does not matter.
SAID_BY_CUSTOMERS = f"""
    SELECT customer_id, $columns, STRUCT_PACK(
        a := $place, b := _batch_id, c := COALESCE(joined_on, CAST('0001-01-01' AS DATE)), d := {AS_IT_CAME}
    ) AS newer
    FROM newest WHERE age = 1
"""
SAID_BY_PURCHASES = f"""
    SELECT customer_id, $columns, STRUCT_PACK(
        a := $place, b := CAST(0 AS BIGINT), c := CAST(occurred_at AS DATE), d := {AS_IT_CAME}
    ) AS newer
    FROM lake.purchases WHERE occurred_at < $as_of
"""


# What a fit fills in (lifetime.scoring, lifetime.baselines): for lineage, the columns that it is made of.
MADE_OF = {
    "expected_spend": "repeat_spend + spend + frequency",
    "baseline_purchases": "frequency + age_days + purchases_before",
    "baseline_spend": "spend + frequency + age_days + spend_before",
}


def params_bindings(params: Params) -> dict[str, Any]:
    """Name → value, sqlglot expression, or list of expressions for a place in a SELECT list."""
    sources, attributes = params.sources, _event_attributes(params)
    return {
        "no_category": NO_CATEGORY,
        "category": column(params.category) if params.category else exp.null(),
        "has_category": params.category is not None,
        "literal_guide_windows": params.literal_guide_windows,
        "value": _signed(params.value),
        "spend": _signed(params.spending),
        "counts_as_value": _counts(params.value),
        "counts_as_spend": _counts(params.spending),
        "is_purchase": _is_credit(params.spending),
        "is_of_order": _is_of_order(params),
        "paid_back": column("refunded") if params.spending.column == "amount" else exp.null(),
        "has_products": params.has_products,
        "first_and_last_product": [exp.column(name, "p") for name in PRODUCT_ATTRIBUTES if params.has_products],
        "touch_events": _touch_events(params),
        "touch_window": exp.Interval(this=literal(str(_window_days(params))), unit=exp.var("DAY")),
        "has_attribution": params.attribution is not None,
        "first_and_last_touch": [exp.column(name, "t") for name in TOUCH_ATTRIBUTES if params.attribution],
        "bot_events": _bot_events(params),
        "is_bot": [exp.column("is_bot", "b")] if params.bots else [],
        "has_acquisition": params.acquisition is not None,
        "channel": exp.column(params.acquisition.channel, quoted=True) if params.acquisition else exp.null(),
        "gross_margin": params.lifetime.margin if params.lifetime else 1.0,
        "months_of_value": params.lifetime.horizon_months if params.lifetime else 12,
        "min_cell": params.min_cell,
        "trend_months": params.trend_months,
        "lost_after": exp.Interval(this=literal(str(params.lost_after_months)), unit=exp.var("MONTH")),
        "migration_months": exp.Interval(this=literal(str(params.migration_months)), unit=exp.var("MONTH")),
        "primary_namespace": sources["purchases"].namespace if "purchases" in sources else "",
        "further_identities": _further_identities(params),
        "known_destinations": _rows(
            {"destination": "text", "type": "text"}, [(name, each.type) for name, each in params.destinations.items()]
        ),
        "planned_activations": _rows(
            {"audience": "text", "destination": "text", "campaign": "text"},
            [(each.audience, each.destination, each.campaign) for each in params.activations],
        ),
        **_campaigns(params),
        **_covariates(params),
        "has_customers": "customers" in sources,
        "email_namespace": EMAIL_NAMESPACE,
        "event_attributes": attributes,
        "has_event_attributes": bool(attributes),
        "params_attributes": _params_attributes(params),
        "formulas": [exp.alias_(tree, name, quoted=True) for name, tree in formulas(params).items()],
        **_customers(params),
        "customers_in_profile": "customers" in sources and sources["customers"].profile_enabled,
        "event_customers": _event_customers(params),
        "session_events": _session_events(params),
        "email_events_in_profile": "email_events" in sources and sources["email_events"].profile_enabled,
    }


def _customers(params: Params) -> dict[str, Any]:
    """Of the rows of a customer those that hold, and what they say together where several ids are one person's."""
    rule = params.identities
    if rule is None:
        return {"id_as_it_came": column(PRIMARY_IDENTITY), "said_of_customers": expression(NEWEST)}
    columns = {**DATASETS["customers"], **params.contract("customers")}
    kinds = {name: each.type for name, each in columns.items() if name != PRIMARY_IDENTITY}
    order = rule.keep if isinstance(rule.keep, list) else ["customers"]
    parts = []
    for place, dataset in enumerate(order):
        has, query = (kinds, SAID_BY_CUSTOMERS) if dataset == "customers" else (
            {name: each.type for name, each in params.contract("purchases").items()}, SAID_BY_PURCHASES
        )  # fmt: skip
        values = [
            (column(name) if has.get(name) == kind else cast(exp.null(), kind)).as_(name, quoted=True)
            for name, kind in kinds.items()
        ]
        parts.append(expression(query, columns=values, place=-place, as_of=exp.Placeholder(this="as_of")))
    rows = exp.union(*parts, distinct=False) if parts[1:] else parts[0]
    together = [_together(name, kind, rule.keep == "oldest") for name, kind in kinds.items()]
    said = expression(TOGETHER, together=together, rows=rows)
    return {"id_as_it_came": expression(AS_IT_CAME), "said_of_customers": said}


def _together(name: str, kind: ColumnType, is_oldest: bool) -> exp.Expr:
    """What the rows of a customer say of one attribute: the newest value, or the oldest. A declined consent holds."""
    if name == "email_consent":
        return expression("MIN(CAST($value AS INT)) = 1", value=column(name)).as_(name, quoted=True)
    value = column(name)
    known = expression("NULLIF(TRIM($value), '')", value=value) if kind == "text" else value
    newer = exp.Case().when(exp.not_(exp.Is(this=known, expression=exp.null())), column("newer"))
    return exp.func("MIN_BY" if is_oldest else "MAX_BY", value, newer).as_(name, quoted=True)


def _campaigns(params: Params) -> dict[str, Any]:
    """How effects are measured: by default, and a row per campaign of which the params say more."""
    default = params.campaign(DEFAULT_CAMPAIGN)
    named = {name: params.campaign(name) for name in params.campaigns if name != DEFAULT_CAMPAIGN}
    kinds: dict[str, ColumnType] = {
        "campaign": "text",
        "sent_on": "date",
        "window_days": "integer",
        "before_days": "integer",
    }
    rows = [(name, each.sent_on, each.window_days, each.before_days) for name, each in named.items()]
    return {
        "window_days": default.window_days,
        "before_days": default.before_days,
        "control_arm": params.control_arm,
        "campaign_settings": _rows(kinds, rows),
    }


def _covariates(params: Params) -> dict[str, exp.Expression]:
    """The covariates in order, and what each says of the customers."""
    names = params.lifetime.covariates if params.lifetime else []
    kinds: dict[str, ColumnType] = {
        PRIMARY_IDENTITY: "text",
        "covariate": "text",
        "value": "text",
        "changed": "integer",
    }
    parts = covariate_queries(params, _counts(params.spending)) or [_rows(kinds, [])]
    values = exp.union(*parts, distinct=False) if parts[1:] else parts[0]
    listed = _rows({"covariate": "text", "position": "integer"}, [(name, at) for at, name in enumerate(names)])
    return {"covariates": listed, "covariate_values": values}


def _touch_events(params: Params) -> exp.Expression:
    """The touches that may be credited with purchases; none where they are not asked for."""
    parts = touch_events(params)
    if not parts:
        return _rows({PRIMARY_IDENTITY: "text", EVENT_TIME: "timestamp", "channel": "text"}, [])
    return (exp.union(*parts, distinct=False) if parts[1:] else parts[0]).subquery()


def _window_days(params: Params) -> int:
    return params.attribution.window_days if params.attribution else 1


def _bot_events(params: Params) -> exp.Query:
    """The events in which bots are looked for; none where they are not asked for."""
    kinds: dict[str, ColumnType] = {PRIMARY_IDENTITY: "text", EVENT_TIME: "timestamp"}
    if params.bots is None:
        return _rows(kinds, [])
    return exp.select(*map(column, kinds)).from_(table(f"lake.{params.bots.events}"))


def _counts(measure: Measure) -> exp.Expression:
    if measure.transaction_types is None:
        return exp.true()
    return is_in(column("transaction_type"), [*measure.transaction_types, *measure.debit_types])


def _signed(measure: Measure) -> exp.Expression:
    """The amount as it counts: see params.Measure."""
    amount = "GREATEST($amount, 0)" if measure.negative == "leave out" else "$amount"
    sql = f"CASE WHEN $is_debit THEN -ABS($amount) ELSE {amount} END" if measure.debit_types else amount
    return expression(sql, amount=column(measure.column), is_debit=_is_debit(measure))


def _is_debit(measure: Measure) -> exp.Expression:
    return is_in(column("transaction_type"), list(measure.debit_types))


def _is_credit(measure: Measure) -> exp.Expression:
    """Whether an event is a purchase, not a refund: a refund lowers what its day brought, and is no visit.

    What was paid back whole in its own row is none either.
    """
    refund = "$amount < 0 OR ($amount = 0 AND refunded > 0)" + (" OR $is_debit" if measure.debit_types else "")
    sql = f"NOT COALESCE(({refund}), FALSE)"
    return expression(sql, amount=column(measure.column), is_debit=_is_debit(measure))


def _is_of_order(params: Params) -> exp.Expression:
    """Whether an event belongs to an order, or pays one back."""
    if not params.contract("purchases").keys() & {"order_id", "refund_of"}:
        return exp.false()
    return expression("NOT (NULLIF(order_id, '') IS NULL AND NULLIF(refund_of, '') IS NULL)")


def _event_attributes(params: Params) -> list[exp.Expr]:
    """For each column marked so: its value in the latest event that has one, as last_<name>."""
    purchases = params.sources.get("purchases")
    marked = [name for name, spec in (purchases.columns or {} if purchases else {}).items() if spec.attribute]
    attributes: list[exp.Expr] = []
    for name in marked:
        is_known = exp.not_(exp.Is(this=column(name), expression=exp.null()))
        # of two events at one moment the greater value is taken, so that their order does not matter
        rank = exp.Struct.from_arg_list([column(EVENT_TIME), column(name)])
        latest = exp.func("MAX_BY", column(name), exp.Case().when(is_known, rank))
        attributes.append(latest.as_(f"last_{name}", quoted=True))
    return attributes


def _params_attributes(params: Params) -> list[exp.Expr]:
    """What the params make of events, as the profile shows it on this day."""
    shown = {"days since": "DATE_DIFF('day', $value, a.as_of)"} | dict.fromkeys(ZERO, "COALESCE($value, 0)")
    return [
        expression(shown.get(each.kind, "$value"), value=exp.column(name, "o", quoted=True)).as_(name, quoted=True)
        for name, each in aggregates(params).items()
    ]


def _further_identities(params: Params) -> exp.Expression:
    """Rows of namespace, identity, customer_id: each further identity that a row of a dataset bears."""
    parts = []
    for dataset, source in params.sources.items():
        for each in params.contract(dataset).values():
            if source.profile_enabled and each.identity and each.name != PRIMARY_IDENTITY:
                parts.append(_identities(dataset, each.name, each.identity))
    if not parts:
        return _rows({"namespace": "text", "identity": "text", PRIMARY_IDENTITY: "text"}, [])
    return (exp.union(*parts, distinct=False) if parts[1:] else parts[0]).subquery()


def _event_customers(params: Params) -> exp.Expression:
    """The customers of this workbook's own events, as far as those join the profile."""
    further = (name for name in params.event_datasets if name not in EVENT_DATASETS and name in params.sources)
    own = [name for name in further if params.sources[name].profile_enabled]
    seen = "SELECT customer_id FROM $events AS e WHERE occurred_at < $as_of"
    as_of = exp.Placeholder(this="as_of")
    parts = [expression(seen, events=table(f"lake.{name}"), as_of=as_of) for name in own]
    if not parts:
        return _rows({PRIMARY_IDENTITY: "text"}, [])
    return (exp.union(*parts, distinct=False) if parts[1:] else parts[0]).subquery()  # type: ignore[attr-defined]


def _session_events(params: Params) -> exp.Expression:
    """The events of which sessions are made, each with the moment before which no event of its session may lie."""
    of = "SELECT $dataset AS dataset, customer_id, occurred_at, occurred_at - $pause AS idle_from FROM $events AS e"
    parts = []
    for source in params.sessions.values():
        number, unit = (params.sources[source].sessions or "").split()
        pause = exp.Interval(this=literal(number), unit=exp.var(unit.rstrip("s").upper()))
        parts.append(expression(of, dataset=source, pause=pause, events=table(f"lake.{source}")))
    if not parts:
        return _rows(
            {"dataset": "text", PRIMARY_IDENTITY: "text", EVENT_TIME: "timestamp", "idle_from": "timestamp"}, []
        )
    return (exp.union(*parts, distinct=False) if parts[1:] else parts[0]).subquery()  # type: ignore[attr-defined]


def _rows(kinds: dict[str, ColumnType], rows: list[tuple[Any, ...]]) -> exp.Subquery:
    """Rows of values as a table with these columns; it may have none."""
    parts = [exp.select(*(cast(exp.null(), kind).as_(name) for name, kind in kinds.items())).where(exp.false())]
    for row in rows:
        typed = zip(kinds.items(), row, strict=True)
        parts.append(exp.select(*(cast(literal(value), kind).as_(name) for (name, kind), value in typed)))
    return (exp.union(*parts, distinct=False) if parts[1:] else parts[0]).subquery()


def _identities(dataset: str, name: str, namespace: str) -> exp.Select:
    """E-mail addresses are compared as mail systems do: without regard to case."""
    value: exp.Expression = exp.Trim(this=exp.cast(column(name), "VARCHAR"))
    value = exp.Lower(this=value) if namespace == EMAIL_NAMESPACE else value
    return (
        exp.select(literal(namespace).as_("namespace"), value.as_("identity"), column(PRIMARY_IDENTITY))
        .from_(table(f"lake.{dataset}"))
        .where(exp.NEQ(this=value.copy(), expression=literal("")))
    )
