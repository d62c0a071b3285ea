"""How many meet a rule: count, share, mean spend and value, deciles, and what each condition removes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from clv_helpers.audiences.catalog import MASKED
from clv_helpers.audiences.compile import PROFILE, Context, customer, to_customers, to_test
from clv_helpers.audiences.rule import AnyPart, Condition, Rule, parts_of, walk
from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.engines.dialect import bind, column, literal, parse, table
from clv_helpers.engines.session import Session

# Up to so many customers the count is exact; above, it is an estimate from about SAMPLE customers.
EXACT_UP_TO = 20_000_000
SAMPLE = 1_000_000
DECILE, VALUE, SPEND = "decile_lifetime", "value", "spend"
TOP_VALUES = 5
IN_SAMPLE = parse(
    "SELECT customer_id FROM profile.customer WHERE SUBSTRING(MD5(CONCAT($salt, customer_id)), 1, 6) < $threshold"
)


@dataclass(frozen=True)
class FunnelStep:
    """One condition of the outermost `all`: how many are left after it and those before it, and how many it removed."""

    part: AnyPart
    left: int
    removed: int


@dataclass(frozen=True)
class Estimate:
    """Customers who meet a rule, of how many; `low` and `high` are the 95 % interval of an estimate, else the count.

    `deciles`: how many of them are in each lifetime decile. Counts of an estimate are scaled up to all customers.
    """

    count: int
    customers: int
    low: int
    high: int
    mean_value: float | None
    mean_spend: float | None
    deciles: dict[int, int]
    funnel: list[FunnelStep]

    @property
    def exact(self) -> bool:
        return self.low == self.high == self.count

    @property
    def share(self) -> float:
        return self.count / self.customers if self.customers else 0.0


def estimate(session: Session, rule: AnyPart, context: Context, exact_up_to: int = EXACT_UP_TO) -> Estimate:
    """Count who meets a rule, with its funnel. Above `exact_up_to` customers from a stable sample, with its interval.

    Cost: one scan of the profile, and one of the events for each condition on them.
    """
    customers = session.count(table("profile.customer"))
    if customers <= exact_up_to:
        return _count(session, rule, context, customers, customers)
    share = min(1.0, min(SAMPLE, exact_up_to) / customers)
    sampled = replace(context, only=hash_sample(share))
    size = session.count(hash_sample(share).subquery("s"))
    return _count(session, rule, sampled, customers, size)


def hash_sample(share: float, salt: str = "") -> exp.Select:
    """About this share of the customers, chosen by a hash of their id: the same ones on every engine and day."""
    threshold = f"{round(share * 16**6):06x}" if share < 1 else "g"
    return bind(IN_SAMPLE, {"salt": salt, "threshold": threshold}).assert_is(exp.Select)


def interval(hits: int, size: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's method, which holds for shares near 0 and 1 too."""
    if not size:
        return 0.0, 1.0
    from scipy.stats import binomtest

    low, high = binomtest(hits, size).proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def overlaps(session: Session, rule: AnyPart, context: Context) -> dict[str, int]:
    """How many who meet the rule are in each audience, the largest first."""
    rows = session.rows(
        "SELECT audience, COUNT(*) AS customers FROM audiences.membership_period "
        "WHERE left_at IS NULL AND customer_id IN (SELECT customer_id FROM $qualified AS q) "
        "GROUP BY audience ORDER BY customers DESC, audience",
        qualified=to_customers(rule, context).subquery(),
    )
    return {row["audience"]: row["customers"] for row in rows}


def sample_customers(session: Session, rule: AnyPart, context: Context, count: int = 10) -> list[dict[str, Any]]:
    """A few customers who meet the rule, always the same ones, with what the rule asks; identities are masked."""
    known = context.catalog.profile
    asked = [leaf.field for _, leaf in walk(rule) if isinstance(leaf, Condition)]
    usual = ["category", DECILE, "last_purchase_on", SPEND]
    names = [name for name in dict.fromkeys([*usual, *asked]) if name in known and name not in MASKED]
    query = exp.select(customer(PROFILE), *(exp.column(name, table=PROFILE, quoted=True) for name in names))
    query = query.from_(table("profile.customer").as_(PROFILE)).where(to_test(rule, context))
    rows = session.rows(query.order_by(exp.MD5(this=customer(PROFILE))).limit(count))
    return [{"customer": mask(row.pop(PRIMARY_IDENTITY)), **row} for row in rows]


def mask(identity: str) -> str:
    """An identity of which only the last two characters can be read, in a length that is always the same."""
    return "•••••" + identity[-2:] if len(identity) > 3 else "•••••"


def describe(session: Session, source: str, name: str) -> dict[str, Any]:
    """A column's fill share, number of distinct values, and the most frequent ones where they identify nobody."""
    values = {"name": column(name), "source": table(source)}
    filled, rows, distinct = session.rows(
        "SELECT COUNT($name) AS filled, COUNT(*) AS all_rows, APPROX_COUNT_DISTINCT($name) AS different "
        "FROM $source AS s",
        **values,
    )[0].values()
    top = []
    if name not in MASKED and not name.endswith("_id"):
        top = session.rows(
            "SELECT $name AS value, COUNT(*) AS how_many FROM $source AS s WHERE NOT $name IS NULL "
            f"GROUP BY $name ORDER BY how_many DESC, $name LIMIT {TOP_VALUES}",
            **values,
        )
    return {"filled": filled / rows if rows else 0.0, "different": distinct, "top": top}


def _count(session: Session, rule: AnyPart, context: Context, customers: int, size: int) -> Estimate:
    """One pass over the profile: the first condition as a filter, then each customer as far as the others are met."""
    parts = parts_of(rule) if isinstance(rule, Rule) and rule.kind == "all" else [rule]
    cases = exp.Case().else_(literal(len(parts)))
    for index, part in enumerate(parts[1:], 1):
        cases = cases.when(exp.not_(to_test(part, context, exact=True)), literal(index))
    steps_met = cases if parts[1:] else literal(len(parts))
    columns = {
        name: exp.column(name, table=PROFILE, quoted=True) if name in context.catalog.profile else exp.null()
        for name in (DECILE, VALUE, SPEND)
    }
    source = to_customers(parts[0], context).select(steps_met.as_("steps_met"), *(c.as_(n) for n, c in columns.items()))
    rows = session.rows(
        "SELECT steps_met, decile_lifetime AS decile, COUNT(*) AS how_many, "
        "SUM(CAST(value AS DOUBLE)) AS sum_value, SUM(CAST(spend AS DOUBLE)) AS sum_spend "
        "FROM $source AS s GROUP BY steps_met, decile_lifetime",
        source=source.subquery(),
    )
    return _from_groups(rows, parts, customers, size, exact=context.only is None)


def _from_groups(rows: list[dict[str, Any]], parts: list[AnyPart], customers: int, size: int, exact: bool) -> Estimate:
    met = [row for row in rows if row["steps_met"] == len(parts)]
    left = [size] + [sum(r["how_many"] for r in rows if r["steps_met"] > index) for index in range(len(parts))]
    scale = 1 if exact else customers / size if size else 0
    hits = left[-1]
    low, high = (hits, hits) if exact else (round(share * customers) for share in interval(hits, size))
    mean_value, mean_spend = (
        sum(row[f"sum_{name}"] or 0 for row in met) / hits if hits else None for name in (VALUE, SPEND)
    )
    funnel = [
        FunnelStep(part, round(after * scale), round((before - after) * scale))
        for part, before, after in zip(parts, left, left[1:], strict=False)
    ]
    deciles = {n: round(sum(row["how_many"] for row in met if row["decile"] == n) * scale) for n in range(1, 11)}
    return Estimate(round(hits * scale), customers, low, high, mean_value, mean_spend, deciles, funnel)
