"""Rolling origins: what would have been forecast on earlier days, by what was known then, beside what came since.

The choice of `auto`, the level, and the width of intervals are read from them. The table is lifetime.origin.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from clv_helpers.engines.dialect import bind
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import IN_CELL, PURCHASE_DAY, as_histories, log_gaps, read_groups
from clv_helpers.lifetime.covariates import by_cell
from clv_helpers.lifetime.data_sufficiency import FEWEST_REPEATERS, SEASON_DAYS, Inputs
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.lateness import Late, overdue_then
from clv_helpers.lifetime.records import AVERAGED, MEANS, Ahead, Fit, Level, Season
from clv_helpers.lifetime.rhythm import SecondPurchase, evenness, second_purchase, with_rhythm
from clv_helpers.lifetime.scoring import expected_purchases, fit_spend, probability_purchase, spend_bindings
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
KNOWN = "known_then"  # lifetime.customer_calibration, of another day
DIGITS = 6  # a sum of floats has its last ones from the order of the rows
BASELINES = ("same_rate", "last_year")
FORECASTS = """
    WITH spent AS (
        SELECT *, CASE WHEN repeat_spend > 0 THEN $spend_of_repeater ELSE $spend_of_others END AS expected_spend
        FROM known_then
    ),
    long AS (
        SELECT
            s.model, c.actual_purchases, c.actual_spend, s.expected_purchases AS purchases, s.buys,
            s.expected_purchases * c.expected_spend AS spend
        FROM spent AS c
        JOIN candidate_score AS s
            ON s.frequency = c.frequency AND s.recency_days = c.recency_days AND s.age_days = c.age_days
                AND s.cell = c.cell
        UNION ALL
        SELECT
            'same_rate', actual_purchases, actual_spend,
            COALESCE(frequency * $days / NULLIF(CAST(age_days AS DOUBLE), 0), 0), NULL,
            COALESCE(frequency * $days / NULLIF(CAST(age_days AS DOUBLE), 0), 0) * spend / NULLIF(frequency + 1, 0)
        FROM known_then
        UNION ALL
        SELECT 'last_year', actual_purchases, actual_spend, purchases_before * $ratio, NULL, spend_before * $ratio
        FROM known_then
    )
    SELECT
        model,
        COUNT(*) AS customers,
        CAST(SUM(purchases) AS DOUBLE) AS purchases,
        CAST(SUM(actual_purchases) AS DOUBLE) AS actual_purchases,
        CAST(AVG(ABS(purchases - actual_purchases)) AS DOUBLE) AS purchases_mae,
        CAST(SUM(spend) AS DOUBLE) AS spend,
        CAST(SUM(actual_spend) AS DOUBLE) AS actual_spend,
        CAST(AVG(ABS(spend - actual_spend)) AS DOUBLE) AS spend_mae,
        -AVG(LN(CASE WHEN actual_purchases > 0 THEN buys ELSE 1 - buys END)) AS log_loss
    FROM long
    GROUP BY model
    ORDER BY model
"""
CAME = f"""
    WITH {PURCHASE_DAY}
    SELECT COUNT(*) AS purchases
    FROM purchase_day AS p
    JOIN known_then AS k ON k.customer_id = p.customer_id
    WHERE p.day > $cut_off
"""


@dataclass(frozen=True)
class Forecast:
    """A forecast that would have been made: of a measure, by a model or a baseline, for the `days` after `cut_off`.

    `known_by`: the last day that was looked at to judge it. `forecast` and `actual` are totals of `customers`, who had
    bought by the cut-off; `mae` is the mean absolute error per customer; `log_loss` that of P(at least one purchase).
    """

    known_by: dt.date
    cut_off: dt.date
    days: int
    model: str
    measure: str
    customers: int
    forecast: float
    actual: float
    mae: float
    log_loss: float | None


Row = TypeVar("Row", Forecast, Late)


@dataclass(frozen=True)
class Origins:
    """The forecasts, the season that is used, and from each cut-off the days to the next: no day is in two of them.

    No factors of months: no season was seen, or it did not help. `late`: who was overdue then, and what became of them.
    """

    forecasts: list[Forecast]
    months: list[float]
    near: list[Season]
    late: list[Late] = field(default_factory=list)

    @property
    def seasons(self) -> list[Season]:
        """What the season did at each cut-off; none where it is not used."""
        return [each for each in self.near if each.seasonal is not None]

    def without_levels(self) -> Origins:
        """The same with the forecasts that do not know the covariates in the place of those that do."""
        plain = {row.model for row in self.forecasts if row.model.endswith(WITHOUT)}
        names = {name: name.removesuffix(WITHOUT) for name in plain}
        names |= {name: name + WITH for name in names.values()}

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

    Of AVERAGED there are their MEANS too. A cut-off at which too few had come back is left out. Cost: for each
    cut-off a pass over the days (two from two years on), a fit per model, and a join with the customers.
    """
    first = inputs.facts.as_of - dt.timedelta(days=inputs.facts.history_days)
    days, cut_offs = windows(first, end, inputs.horizon_days, inputs.settings.origins)
    query = next(file.query for file in read_tables("lifetime") if file.name == CALIBRATION)
    known: _Known | None = None
    rows, tried, late = [], [], []
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
            judged = _judged(inputs.session, known, days, days / year)
            rows += [row for each in judged for row in _as_forecasts(each, end, cut_off, days)]
            late += overdue_then(inputs.session, end, cut_off, days)
            tried.append(_near(inputs.session, known, cut_off, near))
    months = month_factors(inputs.session, end) if season_helped(tried) else []
    used = tried if months else [replace(each, seasonal=None) for each in tried]
    return Origins(_as_used(rows, bool(months)), months, used, _as_used(late, bool(months)))


def keep(session: Session, made: list[Forecast]) -> None:
    """lifetime.origin: a row per forecast that would have been made; none where there is none."""
    import pandas as pd

    if made:
        rows = [asdict(forecast) for forecast in made]
        load(session, "lifetime.origin", pd.DataFrame(rows).astype({"log_loss": float}))
    elif session.has_table("lifetime.origin"):
        session.drop("lifetime.origin")


@dataclass(frozen=True)
class _Known:
    """What was known on a cut-off: histories with `overdue`, the models fitted on them, and a season that was seen."""

    groups: pd.DataFrame
    fits: list[Fit]
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
    second = second_purchase(inputs.session, cut_off, inputs.horizon_days)
    return _Known(_late(groups, fits[0], evenness(histories, gaps), second), fits, ahead, without)


def _late(groups: pd.DataFrame, fitted: Fit, k: float, second: SecondPurchase | None) -> pd.DataFrame:
    """The histories with `overdue`, in the order they came in."""
    import pandas as pd

    parts = [with_rhythm(groups.iloc[rows], there, k, second) for _, there, rows in by_cell(fitted, groups)]
    return pd.concat(parts).sort_index()


def _judged(session: Session, known: _Known, days: int, ratio: float) -> list[dict[str, Any]]:
    """A row per model and baseline; WITHOUT stands after the name of one without the covariates, which are to win.

    Where there is a season, there is one per model with it: SEASONAL stands after its name.
    """
    import pandas as pd

    scored = []
    for name, fits in (("", known.fits), (WITHOUT, known.without)):
        scored += [part.assign(model=part["model"] + name) for part in _scored(replace(known, fits=fits), days)]
        if known.ahead:
            seasonal = replace(known, fits=[replace(each, ahead=known.ahead) for each in fits])
            scored += [part.assign(model=part["model"] + name + SEASONAL) for part in _scored(seasonal, days)]
    session.load_frame("candidate_score", pd.concat(scored))
    spend = spend_bindings(session, KNOWN, fit_spend(session, KNOWN))
    return session.rows(FORECASTS, **spend, days=days, ratio=ratio)


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


def _as_forecasts(row: dict[str, Any], end: dt.date, cut_off: dt.date, days: int) -> Iterator[Forecast]:
    """Of purchases, and of spend."""
    for measure in ("purchases", "spend"):
        numbers = [round(float(row[name]), DIGITS) for name in (measure, f"actual_{measure}", f"{measure}_mae")]
        loss = row["log_loss"] if measure == "purchases" else None
        forecast, actual, mae = numbers
        yield Forecast(
            known_by=end, cut_off=cut_off, days=days, model=row["model"], measure=measure, customers=row["customers"],
            forecast=forecast, actual=actual, mae=mae, log_loss=None if loss is None else round(loss, DIGITS),
        )  # fmt: skip


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
    known = {(row.cut_off, row.model.removesuffix(SEASONAL)) for row in rows if row.model.endswith(SEASONAL)}
    kept = []
    for row in rows:
        name = row.model.removesuffix(SEASONAL)
        if (row.model != name) == (seasonal and (row.cut_off, name) in known):
            kept.append(replace(row, model=name))
    return kept
