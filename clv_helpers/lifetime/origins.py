"""Rolling origins: what would have been forecast on earlier days, by what was known then, beside what came since.

The choice of `auto`, the level, and the width of intervals are read from them. The table is lifetime.origin.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from clv_helpers.engines.dialect import bind
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.baselines import BLENDS
from clv_helpers.lifetime.counts import IN_CELL, PURCHASE_DAY, as_histories, log_gaps, read_groups
from clv_helpers.lifetime.covariates import by_cell
from clv_helpers.lifetime.data_sufficiency import FEWEST_REPEATERS, SEASON_DAYS, Inputs
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.lateness import Late, overdue_then
from clv_helpers.lifetime.origin_forecasts import (
    ALONE,
    DIGITS,
    EVERY,
    KNOWN,
    Forecast,
    as_forecasts,
    judged,
    spends_tried,
)
from clv_helpers.lifetime.records import AVERAGED, MEANS, NEAR, Ahead, Blend, Fit, Level, Season, SpendTried
from clv_helpers.lifetime.rhythm import SecondPurchase, evenness, second_purchase, with_rhythm
from clv_helpers.lifetime.scoring import expected_purchases, fit_spend, probability_purchase
from clv_helpers.lifetime.season import month_factors, season_helped
from clv_helpers.lifetime.tables import CALIBRATION, load
from clv_helpers.models.table_file import read_tables

if TYPE_CHECKING:
    import pandas as pd

LEAST_STEP = 30  # days between two origins: nearer ones tell the same again
SEASONAL = " with season"
WITHOUT = " without covariates"
WITH = " with covariates"
LEAST_DAYS = 2 * 365
CAME = f"""
    WITH {PURCHASE_DAY}
    SELECT COUNT(*) AS purchases
    FROM purchase_day AS p
    JOIN known_then AS k ON k.customer_id = p.customer_id
    WHERE p.day > $cut_off
"""


Row = TypeVar("Row", Forecast, Late)


@dataclass(frozen=True)
class Origins:
    """The forecasts, the season that is used, and from each cut-off the days to the next: no day is in two of them.

    No factors of months: no season was seen, or it did not help. `late`: who was overdue then, and what became of them.
    `spends`: how well spend was told by both ways to fit it; `of_first`: whether first purchases count in it.
    """

    forecasts: list[Forecast]
    months: list[float]
    near: list[Season]
    late: list[Late] = field(default_factory=list)
    spends: list[SpendTried] = field(default_factory=list)
    of_first: bool = False

    @property
    def seasons(self) -> list[Season]:
        """What the season did at each cut-off; none where it is not used."""
        return [each for each in self.near if each.seasonal is not None]

    def without_levels(self) -> Origins:
        """The same with the forecasts that do not know the covariates in the place of those that do."""
        plain = {row.model for row in self.forecasts if WITHOUT in row.model}
        names = {name.replace(WITHOUT, ""): name.replace(WITHOUT, WITH) for name in plain}
        names |= {name: name.replace(WITHOUT, "") for name in plain}

        def renamed(rows: list[Row]) -> list[Row]:
            return [replace(row, model=names.get(row.model, row.model)) for row in rows]

        return replace(self, forecasts=renamed(self.forecasts), late=renamed(self.late))


def windows(first: dt.date, end: dt.date, horizon_days: int, most: int = 6) -> tuple[int, list[dt.date]]:
    """How many days are forecast, and the cut-offs, the last first, whose outcome is known by `end`.

    All go equally far: a horizon, or as many whole seasons as half of the days hold. Each has a season of history or
    more. They are `most` at most, a season apart where there is room, else nearer.

    Example:
        >>> windows(dt.date(2020, 1, 1), dt.date(2022, 1, 8), 365)[0]
        365
        >>> days, cut_offs = windows(dt.date(2021, 1, 1), dt.date(2021, 12, 31), 365)
        >>> days, [str(day) for day in cut_offs]
        (182, ['2021-07-02', '2021-06-02', '2021-05-03', '2021-04-03'])
    """
    known = (end - first).days
    days = known // 2
    days = horizon_days if days >= horizon_days else days - days % SEASON_DAYS
    room = known - days - SEASON_DAYS
    if not days or room < 0:
        return 0, []
    step = min(SEASON_DAYS, max(LEAST_STEP, room // max(most - 1, 1)))
    numbers = range(min(most, room // step + 1))
    return days, [end - dt.timedelta(days=days + step * number) for number in numbers]


def forecasts(inputs: Inputs, end: dt.date, models: tuple[str, ...]) -> Origins:
    """What each model and baseline would have forecast at each cut-off, of purchases and of spend; none without a past.

    Of AVERAGED there are their MEANS too, and what each makes together with a baseline. A cut-off at which too few had
    come back is left out. Cost: for each cut-off a pass over the days (two from two years on), a fit per model, and a
    join with the customers.
    """
    first = inputs.facts.as_of - dt.timedelta(days=inputs.facts.history_days)
    days, cut_offs = windows(first, end, inputs.horizon_days, inputs.settings.origins)
    query = next(file.query for file in read_tables("lifetime") if file.name == CALIBRATION)
    known: _Known | None = None
    shapes = _shapes(models)
    rows, tried, late, spends = [], [], [], []
    near = min([days, *((later - day).days for later, day in pairwise(cut_offs))])
    for cut_off in cut_offs:
        year = min((cut_off - first).days, 365)
        bindings = inputs.bindings | {
            "calibration_end": cut_off,
            "year_before": cut_off - dt.timedelta(days=year),
            "holdout_end": cut_off + dt.timedelta(days=days),
        }
        inputs.session.create_temporary(KNOWN, bind(query, bindings))
        known = _fitted(inputs, cut_off, models, known)
        if known:
            found = judged(inputs.session, _all_scored(known, days), known.spends, days, days / year, shapes)
            rows += [row for each in found for row in as_forecasts(each, shapes, (end, cut_off, days))]
            spends += spends_tried(inputs.session, cut_off)
            late += overdue_then(inputs.session, end, cut_off, days)
            tried.append(_near(inputs.session, known, cut_off, near))
    months = month_factors(inputs.session, end) if season_helped(tried) else []
    used = tried if months else [replace(each, seasonal=None) for each in tried]
    of_first = models == AVERAGED and first_purchases_help(spends)
    made = _of_spend(_as_used(rows, bool(months)), of_first)
    return Origins(made, months, used, _as_used(late, bool(months)), spends, of_first)


def _shapes(models: tuple[str, ...]) -> list[Blend]:
    """What is made of a model's forecast and each baseline's: with `auto` all that there is to choose from."""
    blends = dict.fromkeys(replace(each, baseline="") for each in BLENDS)
    return [Blend(), *(blends if models == AVERAGED else [ALONE])]


def first_purchases_help(tried: Sequence[SpendTried]) -> bool:
    """Whether spend was told better with first purchases: on the mean by more than a draw, and at most cut-offs."""
    won = sum(each.every < each.repeat for each in tried)
    return won > len(tried) / 2 and sum(each.every for each in tried) < (1 - NEAR) * sum(each.repeat for each in tried)


def keep(session: Session, made: list[Forecast], model: str) -> None:
    """lifetime.origin: a row per forecast that would have been made; with a part of a baseline, of this model alone."""
    import pandas as pd

    if made:
        rows = [asdict(each) for each in made if "," not in each.model or each.model.startswith(f"{model},")]
        load(session, "lifetime.origin", pd.DataFrame(rows).astype({"log_loss": float}))
    elif session.has_table("lifetime.origin"):
        session.drop("lifetime.origin")


@dataclass(frozen=True)
class _Known:
    """What was known on a cut-off: histories with `overdue`, the models fitted on them, and a season that was seen."""

    groups: pd.DataFrame
    fits: list[Fit]
    spends: list[Fit | None]  # with `auto`, the second counts first purchases too
    ahead: Ahead | None
    without: list[Fit]  # covariates, where they have to win


def _fitted(inputs: Inputs, cut_off: dt.date, models: tuple[str, ...], later: _Known | None) -> _Known | None:
    """Fitted from where the fits of a later cut-off ended; None where too few had come back."""
    groups = read_groups(inputs.session, KNOWN)
    histories = as_histories(groups)
    if histories.repeaters < max(FEWEST_REPEATERS, inputs.min_cell):
        return None
    gaps = log_gaps(inputs.session, cut_off)
    seen = groups["age_days"].max() >= LEAST_DAYS
    months = month_factors(inputs.session, cut_off) if seen else []
    ahead = Ahead(str(cut_off + dt.timedelta(days=1)), months) if months else None
    none = [None] * len(models)

    def fitted(near: Sequence[Fit | None], levels: list[Level]) -> list[Fit]:
        pairs = zip(models, near or none, strict=True)
        return [fit(model, histories, gaps, each, levels=levels) for model, each in pairs]

    fits = fitted(later.fits if later else none, inputs.levels)
    tried = inputs.levels and inputs.settings.model == "auto"
    without = fitted(later.without if later else none, []) if tried else []
    both = (False, True) if models == AVERAGED else (False,)
    spend_near = later.spends if later else [None] * len(both)
    spends = [fit_spend(inputs.session, KNOWN, way, each) for way, each in zip(both, spend_near, strict=True)]
    second = second_purchase(inputs.session, cut_off, inputs.horizon_days)
    return _Known(_late(groups, fits[0], evenness(histories, gaps), second), fits, spends, ahead, without)


def _late(groups: pd.DataFrame, fitted: Fit, k: float, second: SecondPurchase | None) -> pd.DataFrame:
    """The histories with `overdue`, in the order they came in."""
    import pandas as pd

    parts = [with_rhythm(groups.iloc[rows], there, k, second) for _, there, rows in by_cell(fitted, groups)]
    return pd.concat(parts).sort_index()


def _all_scored(known: _Known, days: int) -> list[pd.DataFrame]:
    """What each model forecasts; WITHOUT stands after the name of one without the covariates, which are to win.

    Where there is a season, there is one per model with it: SEASONAL stands after its name.
    """
    scored = []
    for name, fits in (("", known.fits), (WITHOUT, known.without)):
        scored += [part.assign(model=part["model"] + name) for part in _scored(replace(known, fits=fits), days)]
        if known.ahead:
            seasonal = replace(known, fits=[replace(each, ahead=known.ahead) for each in fits])
            scored += [part.assign(model=part["model"] + name + SEASONAL) for part in _scored(seasonal, days)]
    return scored


def _scored(known: _Known, days: int) -> list[pd.DataFrame]:
    """What each model and mean forecasts of each history."""
    scored, history = [], known.groups[[*IN_CELL, "overdue"]]
    for fitted in known.fits:
        buys = probability_purchase(fitted, known.groups, days).clip(1e-9, 1 - 1e-9)
        expected = expected_purchases(fitted, known.groups, days)
        scored.append(history.assign(model=fitted.model, expected_purchases=expected, buys=buys))
    for name, weights in MEANS.items() if tuple(each.model for each in known.fits) == AVERAGED else ():
        parts = list(zip(weights, scored[: len(known.fits)], strict=True))
        mean = {part: sum(w * row[part] for w, row in parts) for part in ("expected_purchases", "buys")}
        scored.append(history.assign(model=name, **mean))
    return scored


def _near(session: Session, known: _Known, cut_off: dt.date, days: int) -> Season:
    """What the first model forecasts of the next days, as it is and with the season, beside what came."""
    customers, even = known.groups["customers"].to_numpy(float), known.fits[0]

    def total(fitted: Fit) -> float:
        return round(float(customers @ expected_purchases(fitted, known.groups, days)), DIGITS)

    seasonal = total(replace(even, ahead=known.ahead)) if known.ahead else None
    came = session.scalar(CAME, cut_off=cut_off, until=cut_off + dt.timedelta(days=days))
    return Season(str(cut_off), days, total(even), seasonal, float(came))


def _as_used(rows: list[Row], seasonal: bool) -> list[Row]:
    """One row of each, with the season where it is used and was known then."""
    known = {(row.cut_off, row.model.replace(SEASONAL, "")) for row in rows if SEASONAL in row.model}
    kept = []
    for row in rows:
        name = row.model.replace(SEASONAL, "")
        if (row.model != name) == (seasonal and (row.cut_off, name) in known):
            kept.append(replace(row, model=name))
    return kept


def _of_spend(rows: list[Forecast], of_first: bool) -> list[Forecast]:
    """One row of each, the baselines too, which stand beside each model; and of spend as it is fitted."""
    kept = {}
    for row in rows:
        if row.measure in ("purchases", EVERY if of_first else "spend"):
            measure = row.measure.removesuffix("_every")
            kept[row.cut_off, row.model, measure] = replace(row, measure=measure)
    return list(kept.values())
