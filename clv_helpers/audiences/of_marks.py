"""An audience of the customers behind a mark of a board: its rule, where one can say them, written as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from clv_helpers.audiences import audience_files, views
from clv_helpers.audiences.catalog import Catalog
from clv_helpers.audiences.compile import Context, to_members
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.sentence import to_sentence
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.rows import Behind
from clv_helpers.charts.texts import header
from clv_helpers.config.deciles import BUILT_IN
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.validation import validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.editors import files
from clv_helpers.engines.dialect import column, is_in, table
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError

PROFILED = "insights.fact_decile_profile"  # its decile is that of the last twelve months
# Bands that charts group customers by, as derived/customer_band.sql has them: from, to (none: without end).
BANDS: dict[str, tuple[str, dict[str, tuple[int, int | None]]]] = {
    "frequency_band": (
        "frequency",
        {"0": (0, 0), "1": (1, 1), "2–3": (2, 3), "4–6": (4, 6), "7–12": (7, 12), "13+": (13, None)},
    ),
    "recency_band": (
        "days_since_purchase",
        {"last 30 days": (0, 30), "31–90 days": (31, 90), "91–180 days": (91, 180), "181–365 days": (181, 365),
         "over a year": (366, None)},
    ),
}  # fmt: skip
MISSING = ("(not known)", None)


class NoRule(UserError):
    """What is behind a mark cannot be said as an audience's rule."""


def make(workbook: Workbook, behind: Sequence[Behind]) -> str:
    """Write an audience of the customers behind a mark; gives where it is and how many are in it, in a sentence.

    `behind`: what shows the mark; the first that a rule can say is taken. The rule is kept only
    where it gives as many customers as the mark's rows count. Never overwrites a file.
    Raises NoRule where no rule says them, ParamsError for a rule that is wrong.

    Example:
        >>> from clv_helpers.audiences.of_marks import proposed
        >>> from clv_helpers.charts.rows import Behind
        >>> profile = "insights.fact_decile_profile"
        >>> proposed(wb, Behind(profile, "customers", {"decile": 1}))[0].description
        'Members whose decile over 12 months is 1.'
    """
    reasons = []
    for each in behind:
        try:
            audience, customers = proposed(workbook, each)
        except NoRule as reason:
            reasons.append(reason)
            continue
        name = _free_name(workbook, files.name_of(audience.title.replace("–", "-")) or "picked")
        audience_files.save(workbook, name, audience, "")
        said = people_text(customers, workbook.params.min_cell)
        return f"Saved as audiences/{name}.yml: {said} {workbook.words.customers}."
    raise reasons[0] if reasons else NoRule("Nothing here counts these customers.")


def proposed(workbook: Workbook, behind: Behind) -> tuple[Audience, int]:
    """The audience, and how many are in it. Raises NoRule."""
    with workbook.engine.read() as session:
        context = views.published_context(session, workbook.params)
        rule = _rule(session, context.catalog, behind)
        title = ", ".join(
            f"{header(name, workbook.words)} {_in_words(value)}"
            for name, value in behind.values.items()
            if value != NO_CATEGORY
        )
        raw = {"title": title, "rule": {"all": rule}}
        audience = validate(Audience, raw, "the picked customers")
        audience = audience.model_copy(update={"description": to_sentence(audience, workbook.words)})
        views.checked_context(session, workbook.params, "picked", audience)
        customers = _members(session, audience, context)
        if customers != _counted(session, behind):
            raise NoRule(f"No rule over the profile gives the customers of {title}.")
    return audience, customers


def _rule(session: Session, catalog: Catalog, behind: Behind) -> list[dict[str, Any]]:
    """The conditions; a decile with the category and the look-back within which it is."""
    values, rule = dict(behind.values), []
    if "decile" in values and behind.table == PROFILED:
        rule.append({"field": "decile_12_months", "op": "equals", "value": int(values.pop("decile"))})
    elif "decile" in values:
        if "lookback" not in values:
            raise NoRule("No rule of an audience asks for this decile.")
        rule.append(_ranked(session, values))
    return rule + [_condition(catalog, name, value) for name, value in values.items()]


def _ranked(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    """The place in a ranking; takes what says it out of `values`."""
    decile, lookback = int(values.pop("decile")), values.pop("lookback")
    known = {row["lookback"]: row["lookback_months"] for row in session.rows("SELECT * FROM derived.lookback")}
    category = values.pop("category", NO_CATEGORY)
    if known.get(lookback, -1) < 0:
        raise NoRule(f"The look-back {lookback} is in no rule.")
    return {"map": BUILT_IN, "category": category, "lookback_months": known[lookback], "op": "equals", "value": decile}


def _condition(catalog: Catalog, name: str, value: Any) -> dict[str, Any]:
    """One value of a column, or several, as a condition on the profile. Raises NoRule."""
    if isinstance(value, list):
        return {"any": [_condition(catalog, name, each) for each in value]}
    if name in BANDS and value in BANDS[name][1]:
        attribute, bands = BANDS[name]
        low, high = bands[value]
        between = {"op": "between", "value": [low, high]} if high is not None else {"op": "at least", "value": low}
        return {"field": attribute, **between}
    if name not in catalog.profile or not isinstance(value, str | int | float | bool | None):
        raise NoRule(f"The profile does not know {name.replace('_', ' ')}, so no rule of an audience can ask for it.")
    if value in MISSING or (name == "category" and value == NO_CATEGORY):
        return {"field": name, "op": "missing"}
    return {"field": name, "op": "equals", "value": value}


def _in_words(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _members(session: Session, audience: Audience, context: Context) -> int:
    return session.count(to_members(audience, context).subquery("members"))


def _counted(session: Session, behind: Behind) -> int:
    """How many customers the rows behind the mark count."""
    total = exp.func("coalesce", exp.Sum(this=column(behind.people)), exp.Literal.number(0))
    tests = [is_in(column(name), each if isinstance(each, list) else [each]) for name, each in behind.values.items()]
    return int(session.scalar(exp.select(total).from_(table(behind.table)).where(*tests)))


def _free_name(workbook: Workbook, name: str) -> str:
    """The name, with a number where there is a file of it."""
    taken = audience_files.names(workbook)
    numbered = (name if number == 1 else f"{name}_{number}" for number in range(1, len(taken) + 2))
    return next(free for free in numbered if free not in taken)
