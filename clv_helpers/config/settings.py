"""Parts of a params file that other rooms read by themselves: measures, prediction, campaigns, words, simulation."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from clv_helpers.config.validation import Strict


def as_day(value: Any, allowed: str = "a day that exists") -> Any:
    """A day as params write it; none, and what is one already, stay. Raises ValueError."""
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{allowed}, written like 2026-01-31") from None


class Measure(Strict):
    """A number that is summed: its column, its unit, and the transaction types that count (none = all).

    Amounts count with the sign that they bear, so that what is below zero is taken away; `negative: leave out` counts
    it as nothing. Amounts of `debit_types` are taken away whichever sign they are written with.
    """

    column: str = "amount"
    """the column that is summed"""
    unit: str = "USD"
    """its unit"""
    transaction_types: list[str] | None = Field(default=None, min_length=1)
    """those that count; none: all"""
    debit_types: list[str] = []
    """those that are taken away, whichever sign they bear"""
    negative: Literal["subtract", "leave out"] = "subtract"
    """what becomes of amounts below zero"""


class LifetimeGate(Strict):
    """What a prediction needs at least; with less, it is refused with the reason."""

    customers: int = Field(default=500, ge=1)
    """how many with a purchase"""
    history_days: int = Field(default=180, ge=1)
    """days from the first purchase to `as_of`"""
    with_three_purchases: int = Field(default=1, ge=0)
    """how many bought on three days"""
    quiet_days: int = Field(default=30, ge=1)
    """days since the last purchase at most"""


class Lifetime(Strict):
    """Predicted lifetime value: the model, how far ahead, and what a purchase leaves (margin, discount per year)."""

    model: Literal["bg_nbd", "mbg_nbd", "bg_cnbd_k", "mbg_cnbd_k", "pareto_nbd", "auto"] = "mbg_nbd"
    """`bg_cnbd_k` and `mbg_cnbd_k` find how evenly customers buy (k; 1 is BG/NBD and MBG/NBD); `auto` chooses
    MBG/CNBD-k, Pareto/NBD or a mean of both, on cut-offs before the holdout, and leans on a baseline where it did
    better"""
    contract: bool | Literal["week", "month", "quarter", "year"] = False
    """customers renew contracts, and a purchase is the payment for a period: `true` where the payments tell how long a
    period is, or the period; see lifetime.md"""
    horizon_months: int = Field(default=12, ge=1, le=60)
    """how far ahead"""
    annual_discount_rate: float = Field(default=0.10, ge=0, le=1)
    """by which what comes later counts less"""
    margin: float = Field(default=1.0, gt=0, le=1)
    """what a purchase leaves, as a share"""
    covariates: list[str] = Field(default=[], max_length=3)
    """columns of few values, of `customers` or `purchases` (a country, a channel), that stay as they were first said:
    each level has its own purchase rate and dropout; see lifetime.md"""
    calibration_end: Annotated[dt.date | None, BeforeValidator(as_day)] = None
    """the last day that the holdout's models know; none: a horizon ago, or whole seasons"""
    origins: int = Field(default=6, ge=0, le=24)
    """on how many earlier days, at most, forecasts are tried: the choice of `auto`, the level and the width of the
    intervals rest on them; each costs the fits again"""
    minimum: LifetimeGate = LifetimeGate()
    """what a prediction needs at least"""

    @model_validator(mode="after")
    def _one_model(self) -> Lifetime:
        if self.contract and self.model != type(self).model_fields["model"].default:
            raise ValueError(f"model is {self.model!r}, of customers without a contract; allowed with contract: none")
        if self.contract and self.covariates:
            raise ValueError(f"covariates is {self.covariates}; allowed with contract: none")
        return self


class CampaignSettings(Strict):
    """How a campaign's effect is measured: over which days, at which cost."""

    sent_on: Annotated[dt.date | None, BeforeValidator(as_day)] = None
    """the day the window begins; none: when each customer was assigned"""
    window_days: int = Field(default=28, ge=1, le=366)
    """how many days count after"""
    before_days: int = Field(default=365, ge=1, le=1_500)
    """how many days before make the covariate"""
    cost_per_message: float = Field(default=0.0, ge=0)
    """in the currency of spend"""
    margin: float = Field(default=1.0, gt=0, le=1)
    """what revenue leaves, as a share"""
    control_share: float | None = Field(default=None, gt=0, lt=1)
    """what was planned, where another system assigned"""


class Words(Strict):
    """What this business calls things, singular and plural, wherever people read of them.

    A plural that is not given is the singular with an s. `category` is called as its column is, unless given here.
    """

    customer: str = Field(default="customer", min_length=1)
    """who buys: customer, member, guest, donor"""
    customers: str = ""
    """its plural; none: with an s"""
    purchase: str = Field(default="purchase", min_length=1)
    """a moment of buying: purchase, flight, visit, gift"""
    purchases: str = ""
    """its plural; none: with an s"""
    value: str = Field(default="value", min_length=1)
    """what deciles rank: value, miles, margin"""
    category: str = ""
    """what deciles are ranked within; none: the column's own name"""

    @model_validator(mode="before")
    @classmethod
    def _plurals(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        names = {"customers": "customer", "purchases": "purchase"}
        return {many: f"{given.get(one) or one}s" for many, one in names.items()} | given


class Simulation(Strict):
    """The business that is simulated, its size and its seed."""

    business: Literal["airline", "web_shop", "two_lists"] = "airline"
    """an airline's loyalty programme, a web shop with the pages that its visitors saw, or a shop with two lists"""
    members: int = Field(default=20_000, ge=50, le=5_000_000)
    """how many customers it has"""
    years: int = Field(default=3, ge=1, le=10)
    """over how many years"""
    bots: int = Field(default=0, ge=0, le=1_000_000)
    """how many bots visit the web shop"""
    in_both: float = Field(default=0.3, ge=0, le=0.9)
    """which share of each of the two lists is on the other, too"""
    season: bool = False
    """whether the airline's members fly more in summer"""
    change_per_year: float = Field(default=0.0, gt=-1, le=1)
    """by how much all members of the airline fly more, or less, a year later: -0.3 is 30 % less"""
    seed: int = Field(default=2026, ge=0)
    """the same seed gives the same data"""
