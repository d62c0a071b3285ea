"""How many are in an audience: count, share, mean spend and value, deciles, and what each condition removes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from clv_helpers.audiences.catalog import MASKED
from clv_helpers.audiences.compile import PROFILE, Context, of, to_members, to_test
from clv_helpers.audiences.composition import Rank
from clv_helpers.audiences.rule import AnyPart, Audience, Rule, branches, walk
from clv_helpers.conditions.condition import Condition, parts_of
from clv_helpers.conditions.row_test import container_test
from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.engines.dialect import column, expression, literal, table
from clv_helpers.engines.session import Session

DECILE, VALUE, SPEND = "decile_lifetime", "value", "spend"
MOST_VALUES = 200  # of a column, to choose from


@dataclass(frozen=True)
class FunnelStep:
    """One step of an audience: how many are left after it and those before it, and how many it removed.

    `part`: a condition of the outermost `all`, an audience that is excluded, or the rank.
    """

    part: AnyPart | Rank
    left: int
    removed: int


@dataclass(frozen=True)
class Estimate:
    """Customers in an audience, of how many; `deciles`: how many of them are in each lifetime decile.

    `branches`: how many of them are in each branch. `note`: how many of a list are customers. `parts`: how many of all
    customers meet each part that was asked for beside the audience.
    """

    count: int
    customers: int
    mean_value: float | None
    mean_spend: float | None
    deciles: dict[int, int]
    funnel: list[FunnelStep]
    branches: dict[str, int]
    parts: list[int]
    note: str = ""

    @property
    def share(self) -> float:
        return self.count / self.customers if self.customers else 0.0


def estimate(session: Session, audience: Audience, context: Context, parts: Sequence[AnyPart] = ()) -> Estimate:
    """Count who is in an audience, with its funnel and its branches, and who meets each of these `parts`.

    Cost: one scan of the profile, and one of the events for each condition on them; as much again for a rank, and
    for branches.
    """
    whole = audience.whole
    steps: list[AnyPart | Rank] = [*parts_of(whole)] if isinstance(whole, Rule) and whole.kind == "all" else [whole]
    rows = _groups(session, [step for step in steps if not isinstance(step, Rank)], parts, context)
    met = [row for row in rows if row["steps_met"] == len(steps)]
    left = [session.count(table("profile.customer"))]
    left += [sum(row["how_many"] for row in rows if row["steps_met"] > index) for index in range(len(steps))]
    if audience.rank:
        met = _counted(session, to_members(audience, context).select(literal(0).as_("steps_met"), *_worth(context)))
        steps, left = [*steps, audience.rank], [*left, sum(row["how_many"] for row in met)]
    count = left[-1]
    return Estimate(
        count=count,
        customers=left[0],
        mean_value=sum(row["sum_value"] or 0 for row in met) / count if count else None,
        mean_spend=sum(row["sum_spend"] or 0 for row in met) / count if count else None,
        deciles={n: sum(row["how_many"] for row in met if row["decile"] == n) for n in range(1, 11)},
        funnel=[FunnelStep(part, left[i + 1], left[i] - left[i + 1]) for i, part in enumerate(steps)],
        branches=_branches(session, audience, context),
        parts=[sum(row[f"part_{index}"] for row in rows) for index in range(len(parts))],
    )


def _branches(session: Session, audience: Audience, context: Context) -> dict[str, int]:
    """How many of an audience are in each of its branches, in one pass."""
    found = branches(context.name, audience)
    if not found:
        return {}
    counts = [
        expression("COUNT(CASE WHEN $test THEN 1 END)", test=to_test(branch.apart, context)).as_(f"b{index}")
        for index, branch in enumerate(found.values())
    ]
    row = session.rows(to_members(audience, context).select(*counts, append=False))[0]
    return dict(zip(found, row.values(), strict=True))


def _groups(
    session: Session, steps: Sequence[AnyPart], parts: Sequence[AnyPart], context: Context
) -> list[dict[str, Any]]:
    """One pass over the profile: each condition once, how far each customer comes, and who meets each part."""
    tests: dict[str, exp.Expr] = {}  # by what a condition says, as several parts may ask the same

    def met(part: AnyPart, _exact: bool = True) -> exp.Expr:
        if isinstance(part, Rule):
            return container_test(part, met, exact=True)
        if repr(part) not in tests:
            tests[repr(part)] = to_test(part, context, exact=True).as_(f"test_{len(tests)}")
        return of("s", tests[repr(part)].alias)

    steps_met = exp.Case().else_(literal(len(steps)))
    for index, step in enumerate(steps):
        steps_met = steps_met.when(exp.not_(met(step)), literal(index))
    flags = [met(part).as_(f"part_{index}") for index, part in enumerate(parts)]
    customers = exp.select(*tests.values(), *_worth(context)).from_(exp.alias_(table("profile.customer"), PROFILE))
    known = exp.select(steps_met.as_("steps_met"), *flags, *(of("s", name) for name in (DECILE, VALUE, SPEND)))
    known = known.from_(customers.subquery("s"))
    if not parts:  # then who falls at the first condition need not be counted: of all customers the rest is known
        known = known.where(met(steps[0]))
    return _counted(session, known, len(parts))


def _worth(context: Context) -> list[exp.Expr]:
    """The columns that say what customers are worth, empty where the profile has none."""
    known = context.catalog.profile
    return [(of(PROFILE, name) if name in known else exp.null()).as_(name) for name in (DECILE, VALUE, SPEND)]


def _counted(session: Session, customers: exp.Select, parts: int = 0) -> list[dict[str, Any]]:
    """How many of them there are, and what they are worth, by how far they come and by decile."""
    counts = [f"COUNT(CASE WHEN part_{index} THEN 1 END) AS part_{index}, " for index in range(parts)]
    return session.rows(
        f"SELECT steps_met, decile_lifetime AS decile, {''.join(counts)}COUNT(*) AS how_many, "
        "SUM(CAST(value AS DOUBLE)) AS sum_value, SUM(CAST(spend AS DOUBLE)) AS sum_spend "
        "FROM $source AS s GROUP BY steps_met, decile_lifetime",
        source=customers,
    )


def overlaps(session: Session, audience: Audience, context: Context) -> dict[str, int]:
    """How many of an audience are in each of those evaluated, the largest first."""
    rows = session.rows(
        "SELECT audience, COUNT(*) AS customers FROM audiences.membership_period "
        "WHERE left_at IS NULL AND customer_id IN (SELECT customer_id FROM $qualified AS q) "
        "GROUP BY audience ORDER BY customers DESC, audience",
        qualified=to_members(audience, context),
    )
    return {row["audience"]: row["customers"] for row in rows}


def sample_customers(session: Session, audience: Audience, context: Context, count: int = 10) -> list[dict[str, Any]]:
    """A few customers of an audience, always the same ones, with what it asks about; identities are masked."""
    conditions = [leaf for _, leaf in walk(audience.rule) if isinstance(leaf, Condition)]
    asked = [name for leaf in conditions for name in (leaf.field, leaf.than) if name]
    asked += [audience.rank.by] if audience.rank else []
    names = dict.fromkeys(["category", DECILE, "last_purchase_on", SPEND, *asked])
    shown = [of(PROFILE, name) for name in names if name in context.catalog.profile and name not in MASKED]
    by_hash = exp.MD5(this=of(PROFILE, PRIMARY_IDENTITY))
    rows = session.rows(to_members(audience, context).select(*shown).order_by(by_hash).limit(count))
    return [{"customer": mask(row.pop(PRIMARY_IDENTITY)), **row} for row in rows]


def mask(identity: str) -> str:
    """An identity of which only the last two characters can be read, in a length that is always the same."""
    return "•••••" + identity[-2:] if len(identity) > 3 else "•••••"


def values_of(session: Session, source: str, name: str, min_cell: int) -> list[str]:
    """The values of a column of texts that at least `min_cell` customers have, the most frequent first.

    None of columns that identify; of a table without customers all of them.
    """
    if name in MASKED or name.endswith("_id"):
        return []
    one = column(PRIMARY_IDENTITY)
    is_of_people = PRIMARY_IDENTITY in session.columns(table(source))
    rows = session.rows(
        "SELECT $name AS value, COUNT(*) AS how_many FROM $source AS s WHERE NOT $name IS NULL GROUP BY $name "
        f"HAVING $people >= $few ORDER BY how_many DESC, $name LIMIT {MOST_VALUES}",
        name=column(name),
        source=table(source),
        people=exp.Count(this=exp.Distinct(expressions=[one])) if is_of_people else literal(min_cell),
        few=min_cell,
    )
    return [str(row["value"]) for row in rows]
