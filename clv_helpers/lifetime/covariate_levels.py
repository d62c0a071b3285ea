"""The levels of the covariates, which of them the forecast uses, what each does, and the sentences about it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, fields
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from clv_helpers.charts.show import percent, upper_first
from clv_helpers.config.settings import Lifetime, Words
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.intervals_of_totals import Z_80
from clv_helpers.lifetime.records import Diagnostic, Factor, Fit, Level, ModelScore
from clv_helpers.lifetime.tables import build, load

if TYPE_CHECKING:
    import pandas as pd

LEVEL, EFFECT = "lifetime.covariate_level", "lifetime.covariate_effect"
OTHER = "other"  # rarer values together
MOST_LEVELS = 12
FEWEST = 50  # customers of a level
LEAST_SHARE = 0.5  # of the customers that the levels must tell apart, the others being together
MOST_CHANGED = 0.05  # share of the customers of whom a later batch says otherwise
CLAIM = 0.05  # the chance that any effect is said where there is none
VALUES = """
    WITH counted AS (
        SELECT position, covariate, value, COUNT(*) AS customers, SUM(changed) AS changed
        FROM lifetime.customer_covariate
        GROUP BY position, covariate, value
    ),
    ranked AS (
        SELECT
            *,
            ROW_NUMBER() OVER (PARTITION BY position ORDER BY customers DESC, value) AS place,
            COUNT(*) OVER (PARTITION BY position) AS all_values,
            SUM(customers) OVER (PARTITION BY position) AS all_customers,
            SUM(changed) OVER (PARTITION BY position) AS all_changed
        FROM counted
    )
    SELECT * FROM ranked WHERE place <= $most ORDER BY position, place
"""


def read_levels(
    session: Session, bindings: dict[str, Any], settings: Lifetime, words: Words, min_cell: int
) -> tuple[list[Level], list[Diagnostic]]:
    """Make the levels of the covariates of the params, and say which covariates have none, and why.

    One row of lifetime.covariate_level: a level. The value that most customers have is the base; rarer ones are
    together. Cost: a pass over the customers, and for a column of purchases over these.
    """
    if not settings.covariates:
        session.create_if_absent(LEVEL, dict(ALWAYS_THERE[LEVEL]))
        return [], []
    build(session, bindings, "lifetime.customer_covariate")
    rows = session.rows(VALUES, most=MOST_LEVELS + 1)
    levels: list[Level] = []
    doubts: list[Diagnostic] = []
    for _, group in groupby(rows, key=lambda row: row["position"]):
        values = list(group)
        reason = _refused(values, min_cell, words)
        if reason:
            doubts.append(Diagnostic("covariate_not_used", reason))
        else:
            levels += _levels(values, min_cell)
    if levels:
        load(session, LEVEL, _frame([asdict(each) for each in levels]))
    session.create_if_absent(LEVEL, dict(ALWAYS_THERE[LEVEL]))
    return levels, doubts


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)


def _kept(values: list[dict[str, Any]], min_cell: int) -> list[dict[str, Any]]:
    """The values that are levels of their own; the last place is that of the others, where there are more."""
    enough = [row for row in values if row["customers"] >= max(FEWEST, min_cell)]
    return (
        enough if len(enough) <= MOST_LEVELS and values[0]["all_values"] <= MOST_LEVELS else enough[: MOST_LEVELS - 1]
    )


def _refused(values: list[dict[str, Any]], min_cell: int, words: Words) -> str:
    """Why a covariate tells nothing: too many values, one alone, or values that change. Empty where it does."""
    kept, first = _kept(values, min_cell), values[0]
    place, everyone = f"lifetime.covariates is {first['covariate']}", int(first["all_customers"])
    told, changed = sum(int(row["customers"]) for row in kept), int(first["all_changed"])
    if told < LEAST_SHARE * everyone:
        return (
            f"{place}, of which no {MOST_LEVELS} values or fewer hold half of the {words.customers} (they hold "
            f"{percent(told / everyone)}), and it is not used; allowed: a column of few values."
        )
    if everyone - told < max(FEWEST, min_cell) and len(kept) < 2:
        return (
            f"{place}, of which {max(FEWEST, min_cell)} {words.customers} or more have one value alone, and it is not "
            "used; allowed: a column that tells them apart."
        )
    if changed > MOST_CHANGED * everyone:
        return (
            f"{place}, which later batches changed for {percent(changed / everyone)} of the {words.customers}, and it "
            "is not used; allowed: what stays, as the covariates are held at what was said first."
        )
    return ""


def _levels(values: list[dict[str, Any]], min_cell: int) -> Iterator[Level]:
    """The levels of a covariate, the base first, the others together last: of too few, they are with the base."""
    kept, first = _kept(values, min_cell), values[0]
    rest = int(first["all_customers"]) - sum(int(row["customers"]) for row in kept)
    named = OTHER in [row["value"] for row in kept]
    for place, row in enumerate(kept):
        also = rest if row["value"] == OTHER else 0
        yield Level(first["covariate"], row["value"], int(first["position"]), place, int(row["customers"]) + also)
    if rest >= max(FEWEST, min_cell) and not named:
        yield Level(first["covariate"], OTHER, int(first["position"]), len(kept), rest)


def helped(with_levels: list[ModelScore], without: list[ModelScore]) -> bool:
    """Whether the forecasts at earlier cut-offs were nearer with the covariates than without."""
    return bool(with_levels and without) and with_levels[0].total < without[0].total


def about_use(with_levels: list[ModelScore], without: list[ModelScore], covariates: list[str]) -> Diagnostic:
    """Whether `auto` uses the covariates, and by what."""
    names = " and ".join(covariates)
    if not with_levels or not without:
        text = f"Without earlier cut-offs nobody knows whether {names} would help the forecast: it is made without."
        return Diagnostic("covariates_not_used", text)
    before, after = without[0].total, with_levels[0].total
    cut_offs = f"{len(without[0].cut_offs)} earlier cut-off{'s' * (len(without[0].cut_offs) > 1)}"
    errors = f"at {cut_offs} the errors added up to {after:.3f} with, and {before:.3f} without"
    if helped(with_levels, without):
        return Diagnostic("covariates_used", f"The forecast knows {names} of each customer: {errors}.")
    return Diagnostic("covariates_not_used", f"The forecast is made without {names}: {errors}.")


def keep_effects(session: Session, fitted: Fit, levels: list[Level], words: Words) -> list[Diagnostic]:
    """Make lifetime.covariate_effect, and say the clearest effect, where it is one.

    One row: a level, and its factors beside the base level, with the 80 % intervals; the base has 1.
    """
    found = effects(fitted)
    if not found:
        return []
    load(session, EFFECT, _frame([_row(level, found) for level in levels]))
    told = clearest(found)
    if told is None:
        return []
    base = next(each for each in levels if each.position == told.position and not each.place)
    low, high = _bounds(told.rate, told.rate_error, Z_80)
    more = f"{told.rate:.2f} times the rate (80 % interval {low:.2f} to {high:.2f})"
    text = (
        f"As long as they have not left, {words.customers} whose {told.covariate} is {told.level} buy at "
        f"{more} of those whose {base.covariate} is {base.level}. That they differ does not say why."
    )
    return [Diagnostic("covariate_effect", upper_first(text))]


def effects(fitted: Fit) -> list[Factor]:
    """The factors of a fit; of a mean of models, the geometric mean of theirs, with the mean of their errors."""
    if not fitted.parts:
        return fitted.factors
    return [_mean(list(each)) for each in zip(*(part.factors for part in fitted.parts), strict=True)]


def _mean(factors: list[Factor]) -> Factor:
    numbers: dict[str, Any] = {}
    for name in ("rate", "dropout"):
        errors = [getattr(each, f"{name}_error") for each in factors]
        numbers[name] = float(np.exp(np.mean([math.log(getattr(each, name)) for each in factors])))
        numbers[f"{name}_error"] = None if None in errors else float(np.mean(errors))
    known = {each.name: getattr(factors[0], each.name) for each in fields(Factor)}
    return Factor(**(known | numbers))


def clearest(found: list[Factor]) -> Factor | None:
    """The factor on the purchase rate that is farthest from 1 in its errors, where so many levels leave out chance."""
    known = [each for each in found if each.rate_error]
    if not known:
        return None
    best = max(known, key=lambda each: abs(math.log(each.rate)) / (each.rate_error or math.inf))
    # by Bonferroni: the chance is that of any of them
    low, high = _bounds(best.rate, best.rate_error, float(-ndtri(CLAIM / (2 * len(found)))))
    return best if low > 1 or high < 1 else None


def _row(level: Level, found: list[Factor]) -> dict[str, Any]:
    factor = next(
        (each for each in found if (each.position, each.place) == (level.position, level.place)),
        Factor(level.covariate, level.level, level.position, 0, 1.0, 1.0, 0.0, 0.0),
    )
    row: dict[str, Any] = {"covariate": level.covariate, "level": level.level, "position": level.position,
                           "place": level.place, "customers": level.customers}  # fmt: skip
    for name in ("rate", "dropout"):
        value = getattr(factor, name)
        low, high = _bounds(value, getattr(factor, f"{name}_error"), Z_80)
        row |= {f"{name}_factor": value, f"{name}_low": low, f"{name}_high": high}
    return row


def _bounds(factor: float, error: float | None, z: float) -> tuple[float, float]:
    """An interval that is even in the logarithm; without bounds where the data tell next to nothing."""
    if error is None:
        return math.nan, math.nan
    return factor * math.exp(-z * error), factor * math.exp(z * error)
