"""The tables that `deciles` in the params ask for: events folded by day, look-backs, places, their edges, their maps.

Events of a dataset are folded once, by customer, day and whatever customers are ranked within, for all its rankings;
the places come from that. A refresh computes the days and the look-backs that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from clv_helpers.config.attributes import aggregate_test
from clv_helpers.config.deciles import BETWEEN, EVERYONE, LIFETIME, Decile, column_of, map_of
from clv_helpers.config.event_rows import event_rows
from clv_helpers.config.params import Params
from clv_helpers.engines.dialect import column, expression, is_in, literal, table
from clv_helpers.models.table_file import Table, generated_table

# Where a look-back begins and ends: of whole months, of days, and of the lifetime.
SPANS = {
    "month": ("DATE_TRUNC('month', $as_of) - $length", "DATE_TRUNC('month', $as_of)"),
    "day": ("CAST($as_of AS DATE) - $length", "CAST($as_of AS DATE)"),
    LIFETIME: ("CAST('1900-01-01' AS DATE)", "DATE_TRUNC('month', $as_of)"),
}
WINDOW = """
    SELECT $name AS name, $lookback AS lookback, $position AS lookback_order, CAST($starts_on AS DATE) AS starts_on,
        CAST($ends_before AS DATE) AS ends_before, $ntile AS places, $adds_up AS adds_up
"""
# What an event gives to a measure, how a day's are folded, and how days make the measure. An average is an exact sum
# divided once, so that it does not depend on the order of rows.
NUMBER, TEXT, ONE = "CAST($column AS DECIMAL(18, 4))", "CAST($column AS VARCHAR)", "1"
SUM, COUNT, FIGURE = "CAST(SUM($part) AS BIGINT)", "COUNT($part)", "CAST({}($part) AS DECIMAL(18, 4))"
MEASURES = {
    "count": (ONE, {"n": SUM}, "SUM($n)"),
    "sum": (NUMBER, {"n": FIGURE.format("SUM")}, "SUM($n)"),
    "min": (NUMBER, {"n": FIGURE.format("MIN")}, "MIN($n)"),
    "max": (NUMBER, {"n": FIGURE.format("MAX")}, "MAX($n)"),
    "average": (NUMBER, {"n": FIGURE.format("SUM"), "rows": COUNT}, "CAST(SUM($n) AS DOUBLE) / NULLIF(SUM($rows), 0)"),
    "distinct": (TEXT, {}, "NULLIF(COUNT(DISTINCT NULLIF($n, '')), 0)"),
}
BY_DAY = """
    WITH counted AS (
        SELECT customer_id, CAST(occurred_at AS DATE) AS day, $given FROM $events AS e WHERE occurred_at < $as_of
    )
    SELECT $folded FROM counted WHERE $counts
"""
SUMMED = """
    SELECT d.customer_id, $name AS name, $category AS category, w.lookback,
        CAST($measure AS DECIMAL(18, 4)) AS value
    FROM $days AS d
    JOIN derived.rank_window AS w ON w.name = $name AND d.day >= w.starts_on AND d.day < w.ends_before
    WHERE $is_ranked
    GROUP BY d.customer_id, $category, w.lookback
    HAVING NOT $measure IS NULL
"""
PLACED = """
    SELECT customer_id, name, category, lookback, value, NTILE($ntile) OVER (
            PARTITION BY name, category, lookback ORDER BY $best DESC, MD5(customer_id), customer_id
        ) AS place
    FROM summed
    WHERE $is_one
"""
EDGES = """
    WITH edges AS (
        SELECT name, category, lookback, place, COUNT(*) AS customers, SUM(value) AS value,
            MIN(value) AS lowest_value, MAX(value) AS highest_value
        FROM derived.customer_rank
        GROUP BY name, category, lookback, place
    ),
    whole AS (
        SELECT name, category, lookback, SUM(customers) AS customers, SUM(value) AS value,
            SUM(CASE WHEN value < 0 THEN -value ELSE 0 END) AS below_zero
        FROM edges
        GROUP BY name, category, lookback
    ),
    crossed AS (
        SELECT e.name, e.category, e.lookback, e.place,
            CASE WHEN n.highest_value = e.lowest_value THEN e.lowest_value ELSE e.highest_value END AS value
        FROM edges AS e
        JOIN edges AS n
            ON n.name = e.name AND n.category = e.category AND n.lookback = e.lookback AND n.place = e.place + 1
        WHERE n.highest_value = e.lowest_value OR n.lowest_value = e.highest_value
    ),
    tied AS (
        SELECT c.name, c.category, c.lookback, c.place, COUNT(*) AS customers
        FROM crossed AS c
        JOIN derived.customer_rank AS r
            ON r.name = c.name AND r.category = c.category AND r.lookback = c.lookback AND r.value = c.value
        GROUP BY c.name, c.category, c.lookback, c.place
    )
    SELECT e.name, e.category, e.lookback, e.place, e.customers, e.value, e.lowest_value, e.highest_value,
        COALESCE(t.customers, 0) AS ties_crossing,
        a.customers < w.places AS fewer_than_places,
        CASE WHEN w.adds_up AND a.below_zero <= 0.1 * a.value
            THEN CAST(e.value AS DOUBLE) / NULLIF(a.value, 0) END AS share_of_value
    FROM edges AS e
    JOIN whole AS a ON a.name = e.name AND a.category = e.category AND a.lookback = e.lookback
    JOIN derived.rank_window AS w ON w.name = e.name AND w.lookback = e.lookback
    LEFT JOIN tied AS t
        ON t.name = e.name AND t.category = e.category AND t.lookback = e.lookback AND t.place = e.place
"""
ENTRY = "MAP_FROM_ENTRIES(LIST_SORT(LIST({'key': category, 'value': place}) FILTER (WHERE $is_it)))"
PLACE = "MAX(CASE WHEN $is_it THEN place END)"
RANK_SCHEMA = "derived"
PLACES = "profile.rank_attribute"
AS_OF = exp.Placeholder(this="as_of")
IS_IT = "name = $name AND lookback = $lookback"


def rank_tables(params: Params) -> list[Table]:
    """The tables of `deciles`, none where the params have none."""
    deciles = params.deciles
    if not deciles:
        return []
    tables = [
        _by_day(params, name, [each for each in deciles if each.of.dataset == name])
        for name in sorted({each.of.dataset for each in deciles})
    ]
    tables += [_windows(deciles), _ranks(deciles), _edges(), _maps(deciles)]
    return tables + ([_attributes(deciles)] if any(not each.by for each in deciles) else [])


def with_places(model: Table, made: list[Table]) -> Table:
    """A table of the package; profile.attribute with the places among everyone beside it."""
    places = next((table for table in made if table.name == PLACES), None)
    if model.name != "profile.attribute" or places is None:
        return model
    query = model.query.copy().assert_is(exp.Select)
    query = query.select(*(exp.column(name, "places", quoted=True) for name in places.query.named_selects[1:]))
    on = expression("places.customer_id = i.customer_id")
    return replace(model, query=query.join(exp.alias_(table(PLACES), "places", table=True), on=on, join_type="left"))


def _by_day(params: Params, dataset: str, deciles: list[Decile]) -> Table:
    """The events of a dataset by customer, day, and all that its rankings are within."""
    names = sorted({name for each in deciles for name in each.by})
    given = [named(expression("COALESCE(CAST($column AS VARCHAR), '')", column=column(n)), _by(n)) for n in names]
    keys = ["customer_id", "day", *map(_by, names)]
    folded: list[exp.Expr] = []
    counts: list[exp.Expr] = []
    for each in deciles:
        part, value, folds = column(_part(each, "n")), _given(params, each), MEASURES[each.of.kind][1]
        if folds:
            counts.append(expression("NOT $part IS NULL", part=part))
        else:  # what is distinct must stay apart
            value, keys = expression("COALESCE($value, '')", value=value), [*keys, part.name]
            counts.append(expression("LENGTH($part) > 0", part=part))
        given.append(named(value, part.name))
        folded += [named(expression(fold, part=part), _part(each, name)) for name, fold in folds.items()]
    events = event_rows(params, dataset, {name for each in deciles for name in each.lookups})
    query = expression(BY_DAY, given=given, events=events, folded=[*map(column, keys), *folded],
                       counts=exp.or_(*counts), as_of=AS_OF)  # fmt: skip
    query = query.assert_is(exp.Select).group_by(*map(column, keys))
    one_row = f"a customer's day of {dataset}, in one combination of what deciles are ranked within."
    return _table(f"derived.{dataset}_by_day", one_row, keys, query, "by customer_id, day through counted")


def _given(params: Params, each: Decile) -> exp.Expr:
    """What an event gives to a measure; nothing where it does not count."""
    text = MEASURES[each.of.kind][0]
    value = expression(text, column=column(each.of.column)) if each.of.column else expression(text)
    test = aggregate_test(params, each.of, "e")
    return value if test is None else exp.Case().when(test, value)


def _windows(deciles: list[Decile]) -> Table:
    rows = [_window(each, lookback, n) for each in deciles for n, lookback in enumerate(each.lookbacks, 1)]
    query = _all(rows)
    return _table("derived.rank_window", "a ranking and a look-back.", ["name", "lookback"], query)


def _window(each: Decile, lookback: str, position: int) -> exp.Query:
    count, _, unit = lookback.partition(" ")
    starts_on, ends_before = SPANS[unit.rstrip("s") or LIFETIME]
    length = exp.Interval(this=literal(count), unit=exp.var(unit.rstrip("s").upper())) if unit else exp.null()
    return _query(
        WINDOW, name=each.name, lookback=lookback, position=position, ntile=each.ntile,
        starts_on=expression(starts_on, as_of=AS_OF, length=length), ends_before=expression(ends_before, as_of=AS_OF),
        adds_up=each.of.kind in ("count", "sum"),
    )  # fmt: skip


def _ranks(deciles: list[Decile]) -> Table:
    """Places of all rankings; those of one number of places and one order are ranked together."""
    placed = []
    for ntile, order in dict.fromkeys((each.ntile, each.order) for each in deciles):
        names = [each.name for each in deciles if (each.ntile, each.order) == (ntile, order)]
        best = column("value") if order == "descending" else exp.Neg(this=column("value"))
        placed.append(_query(PLACED, ntile=ntile, best=best, is_one=is_in(column("name"), names)))
    query = _all(placed).with_("summed", as_=_all([_summed(each) for each in deciles]))
    key, one_row = ["customer_id", "name", "category", "lookback"], "a customer, a ranking, a category and a look-back."
    return _table("derived.customer_rank", one_row, key, query, "by name, lookback through summed")


def _summed(each: Decile) -> exp.Query:
    """What each customer has to be ranked by; rows without a category count in none."""
    within = [exp.column(exp.to_identifier(_by(name), quoted=True), "d") for name in each.by]
    category: exp.Expr = literal(EVERYONE)
    for place, value in enumerate(within):
        category = (
            expression("$so_far || $between || $value", so_far=category, between=BETWEEN, value=value)
            if place
            else value
        )
    _, folds, measure = MEASURES[each.of.kind]
    parts = {n: exp.column(exp.to_identifier(_part(each, n), quoted=True), "d") for n in {"n", *folds}}
    ranked = exp.and_(*(expression("LENGTH($value) > 0", value=value) for value in within)) if within else exp.true()
    return _query(
        SUMMED, name=each.name, category=category, measure=expression(measure, **parts), is_ranked=ranked,
        days=table(f"derived.{each.of.dataset}_by_day"),
    )  # fmt: skip


def _edges() -> Table:
    one_row = "a place of a ranking, in one category and look-back."
    key = ["name", "category", "lookback", "place"]
    return _table("derived.rank_edge", one_row, key, _query(EDGES), "by name, lookback")


def _maps(deciles: list[Decile]) -> Table:
    """A column per ranking, of a map of category → place for each look-back: what the guide calls decilesMileage."""
    columns = []
    for each in deciles:
        maps = [
            exp.PropertyEQ(this=exp.to_identifier(map_of(lookback), quoted=True), expression=_at(ENTRY, each, lookback))
            for lookback in each.lookbacks
        ]
        columns.append(named(exp.Struct(expressions=maps), each.name))
    query = exp.select("customer_id", *columns).from_(table("derived.customer_rank")).group_by("customer_id")
    return _table("derived.rank_map", "a customer with a place in a ranking.", ["customer_id"], query, "view")


def _attributes(deciles: list[Decile]) -> Table:
    """Places among everyone, as the profile shows them."""
    columns = [
        named(_at(PLACE, each, lookback), column_of(each.name, lookback))
        for each in deciles if not each.by for lookback in each.lookbacks
    ]  # fmt: skip
    query = exp.select("customer_id", *columns).from_(table("derived.customer_rank")).group_by("customer_id")
    query = query.where(exp.EQ(this=column("category"), expression=literal(EVERYONE)))
    one_row = "a customer with a place among everyone in a ranking."
    return _table(PLACES, one_row, ["customer_id"], query, "by customer_id")


def _at(text: str, each: Decile, lookback: str) -> exp.Expr:
    return expression(text, is_it=expression(IS_IT, name=each.name, lookback=lookback))


def _by(name: str) -> str:
    return f"by_{name.replace('.', '__')}"


def _part(each: Decile, name: str) -> str:
    return f"{name}_{each.name}"


def named(value: exp.Expr, name: str) -> exp.Expr:
    """A value under a name, quoted."""
    return exp.alias_(value, name, quoted=True)


def _query(text: str, **bindings: object) -> exp.Select:
    return expression(text, **bindings).assert_is(exp.Select)


def _all(queries: Sequence[exp.Query]) -> exp.Query:
    return exp.union(*queries, distinct=False) if queries[1:] else queries[0]


def _table(name: str, one_row: str, key: list[str], query: exp.Query, refresh: str = "full") -> Table:
    return generated_table(name, one_row, ", ".join(key), query, refresh)
