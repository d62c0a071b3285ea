"""The rows of fact_effect and fact_effect_decile, and how they are written as columns and read again.

A value with an interval is three or four columns: `cuped` is stored as cuped, cuped_low, cuped_high, cuped_detectable.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from clv_helpers.campaigns.estimates import Balance, Difference, Interval

if TYPE_CHECKING:
    import pandas as pd

KINDS = {  # a field's type → the column's, in which what is not known is NaN or NaT
    "str": "str", "bool": "bool", "int": "int64", "float": "float64",
    "int | None": "float64", "float | None": "float64", "dt.date | None": "datetime64[us]",
}  # fmt: skip
NESTED: dict[str, type[Interval] | type[Balance]] = {
    "Interval": Interval,
    "Difference": Difference,
    "Balance": Balance,
}
NO_INTERVAL, NO_DIFFERENCE, NO_BALANCE = Interval(), Difference(), Balance()


def known(interval: Interval) -> bool:
    """Whether there is an interval; one that was read from a table holds None instead of NaN."""
    return interval.low is not None and not math.isnan(interval.low)


@dataclass(frozen=True)
class CampaignEffect:
    """What a campaign added, over everyone (audience ALL) or in one audience; or, not `measured`, why it is not known.

    Revenue is in the unit of spend, per customer; `cuped` is adjusted by spend before; conversion is a share of the
    arm. Revenue is empty where too few bought for an interval that holds. All is of those whose window has closed; of
    the others, `open_treated` and `open_control`, `closes_on` is the next day on which one does.
    """

    campaign: str
    audience: str
    measured: bool
    sentence: str
    treated: int
    control: int
    warnings: str = ""
    starts_on: dt.date | None = None
    window_days: int | None = None
    waves: int = 1
    open_treated: int = 0
    open_control: int = 0
    closes_on: dt.date | None = None
    messages: int = 0
    treated_buyers: int = 0
    control_buyers: int = 0
    treated_mean: float = math.nan
    control_mean: float = math.nan
    revenue: Difference = NO_DIFFERENCE
    cuped: Difference = NO_DIFFERENCE
    theta: float = math.nan
    variance_removed: float = math.nan
    treated_conversion: float = math.nan
    control_conversion: float = math.nan
    conversion: Difference = NO_DIFFERENCE
    incremental_revenue: Interval = NO_INTERVAL
    cost: float = math.nan
    revenue_per_message: Interval = NO_INTERVAL
    value_per_message: Interval = NO_INTERVAL
    treated_per_purchase: float = math.nan
    control_per_purchase: float = math.nan
    revenue_per_purchase: Difference = NO_DIFFERENCE
    heterogeneity_p: float = math.nan
    planned_control_share: float | None = None
    sample_ratio_p: float | None = None
    standardised_difference: Balance = NO_BALANCE

    @property
    def revenue_known(self) -> bool:
        """Whether enough bought for an interval of revenue."""
        return self.measured and known(self.cuped)


@dataclass(frozen=True)
class DecileEffect:
    """What a campaign added in one value decile (0: not ranked); where too few bought, without an interval.

    The intervals of all deciles hold at once in 95 of 100 campaigns. `shrunken` is the estimate that decides, and
    `shrunken_value` what a message brings by it, after its cost.
    """

    campaign: str
    audience: str
    decile: int
    treated: int
    control: int
    verdict: str
    cuped: Difference = NO_DIFFERENCE
    conversion: Difference = NO_DIFFERENCE
    shrunken: float = math.nan
    shrunken_value: float = math.nan


Row = TypeVar("Row", CampaignEffect, DecileEffect)


def to_frame(rows: list[Row], row_type: type[Row]) -> pd.DataFrame:
    """Rows as a table."""
    import pandas as pd

    stored = [(field, part, name) for field in fields(row_type) for part, name in _columns(field).items()]
    kinds = {name: "float64" if part else KINDS[str(field.type)] for field, part, name in stored}
    path = [operator.attrgetter(f"{field.name}.{part}" if part else field.name) for field, part, _ in stored]
    return pd.DataFrame([[value(row) for value in path] for row in rows], columns=list(kinds)).astype(kinds)


def from_frame(frame: pd.DataFrame, row_type: type[Row]) -> list[Row]:
    """Rows of a table; what is not known is None."""
    rows = []
    for record in frame.to_dict("records"):
        values: dict[str, Any] = {}
        for field in fields(row_type):
            cells = {part: plain(record[name]) for part, name in _columns(field).items()}
            nested = NESTED.get(str(field.type))
            values[field.name] = nested(**cells) if nested else cells[""]
        rows.append(row_type(**values))
    return rows


def _columns(field: Field[Any]) -> dict[str, str]:
    """Where a field is stored: of a nested value each part's column, of a plain one ("") its own."""
    nested = NESTED.get(str(field.type))
    if nested is None:
        return {"": field.name}
    names = [part.name for part in fields(nested)]
    return {name: field.name if name == "estimate" else f"{field.name}_{name}" for name in names}


def plain(value: Any) -> Any:
    """A cell as a plain value: whole numbers as int, days as date, what is missing as None."""
    if value is None or value != value:
        return None
    if isinstance(value, dt.datetime):  # a Timestamp too
        return value.date()
    if hasattr(value, "item"):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value
