"""What a prediction records, as run.json and the command line show it: settings, fits, holdout, diagnostics."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter

from clv_helpers.config.settings import Lifetime
from clv_helpers.lifetime.counts import Array

TITLES = {
    "bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "bg_cnbd_k": "BG/CNBD-k", "mbg_cnbd_k": "MBG/CNBD-k",
    "pareto_nbd": "Pareto/NBD", "gamma_gamma": "Gamma-Gamma", "mean": "half of each",
    "mean_3_1": "three quarters of the first", "mean_1_3": "a quarter of the first",
    "shifted_beta_geometric": "Shifted beta-geometric",
}  # fmt: skip
# BG/NBD is not among them: to it, nobody leaves before a second purchase.
AVERAGED = ("mbg_cnbd_k", "pareto_nbd")
NEAR = 0.02  # within so much of the best score it is a draw: the most even mean is used, it errs less where both do
MEANS = {"mean": (0.5, 0.5), "mean_3_1": (0.75, 0.25), "mean_1_3": (0.25, 0.75)}  # of AVERAGED: the weights


@dataclass(frozen=True)
class Diagnostic:
    """What limits the trust in a prediction: a name for machines, a sentence for people."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Ahead:
    """What is ahead of a forecast, from the day `first` on: the factor of each calendar month, and of all (see season).

    No months: there is no season.
    """

    first: str
    months: list[float] = field(default_factory=list)
    level: float = 1.0


@dataclass(frozen=True)
class Level:
    """A level of a covariate: a value that enough customers have, or several together.

    `position`: which covariate it is, from 0; `place`: which of its levels, 0 being the base.
    """

    covariate: str
    level: str
    position: int
    place: int
    customers: int


@dataclass(frozen=True)
class Factor:
    """What a level of a covariate does beside the base level: by how much more is bought, and dropped out.

    `rate` multiplies the mean purchase rate of who is there, `dropout` the mean dropout rate (Pareto/NBD) or the odds
    of dropping out at a purchase; the errors are of their logarithms, None where the data tell next to nothing.
    """

    covariate: str
    level: str
    position: int
    place: int
    rate: float
    dropout: float
    rate_error: float | None
    dropout_error: float | None


@dataclass(frozen=True)
class Fit:
    """A fitted model: each parameter by its name, times in weeks.

    `standard_errors` and `intervals` (of 95 %) are None for a parameter at a boundary, or of which the data tell next
    to nothing. `customers` share `histories` distinct histories. `data` is all, or calibration. `k`: how evenly
    customers buy, where the model asks that (1: at random); it was found by the likelihood.
    """

    model: str
    parameters: dict[str, float]
    standard_errors: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]
    log_likelihood: float
    customers: int
    histories: int
    data: str = "all"
    k: int = 1
    parts: list[Fit] = field(default_factory=list)  # of a mean of models: their fits
    ahead: Ahead | None = None  # none: as even as the model takes it
    factors: list[Factor] = field(default_factory=list)  # of the levels of covariates; parameters are the base's
    of_first: bool = False  # of spend: whether first purchases count, or those of who came back alone

    @property
    def title(self) -> str:
        """The model's name in the literature; of a mean of models, their names."""
        if self.parts:
            return " + ".join(part.title for part in self.parts)
        return TITLES[self.model].replace("CNBD-k", f"CNBD-{self.k}" if self.k > 1 else "NBD")

    @property
    def theta(self) -> Array:
        """The parameters in the order in which the model takes them."""
        return np.array([value for fit in self.each for value in fit.parameters.values()])

    @property
    def each(self) -> list[Fit]:
        """The fits of which it is the mean; itself where it is one model's."""
        return self.parts or [self]

    @property
    def unidentified(self) -> list[str]:
        """The parameters at a boundary, or of which the data tell next to nothing."""
        return [name for name, error in self.standard_errors.items() if error is None]


@dataclass(frozen=True)
class HoldoutError:
    """How far one forecast (the model's, or a baseline's) of one measure (purchases, spend) was off.

    `bias` is forecast over actual, less one; `mae` and `rmse` are per customer.
    """

    measure: str
    series: str
    forecast: float
    actual: float
    bias: float | None
    mae: float
    rmse: float


@dataclass(frozen=True)
class BestDecile:
    """The decile that one forecast ranked best: its share of the holdout's spend, and of what the best possible had."""

    series: str
    share_of_spend: float | None
    share_captured: float | None


@dataclass(frozen=True)
class ProbabilityBand:
    """Customers whom the model gave about as much: its mean probability of a purchase, and the share that bought."""

    band_label: str
    customers: int
    forecast: float
    actual: float


@dataclass(frozen=True)
class Holdout:
    """How the model did on the days after the calibration, beside two baselines."""

    calibration_end: str
    calibration_days: int
    days: int
    customers: int
    errors: list[HoldoutError]  # of each measure: the model, same rate, last year
    best_decile: list[BestDecile]  # best possible, the model, same rate, last year
    bands: list[ProbabilityBand]

    @property
    def title(self) -> str:
        """The name in the literature of the model that was held out."""
        return self.best_decile[1].series


@dataclass(frozen=True)
class ContractHoldout:
    """The renewals after the calibration of contracts that ran at its end: forecast by the model, at the last rate."""

    calibration_end: str
    days: int
    customers: int
    errors: list[HoldoutError]


@dataclass(frozen=True)
class ContractRecord:
    """What was taken for a contract: its period (`found` or given), and the share of the payments' gaps that are one.

    `contracts` of all customers, and of how many customers one is `running`.
    """

    period: str
    found: bool
    share: float
    contracts: int
    running: int
    holdout: ContractHoldout | None = None


@dataclass(frozen=True)
class Season:
    """Purchases of the `days` after an earlier cut-off: forecast at an even pace and with the season, and what came.

    `seasonal` is None where no season was known then, or none is used.
    """

    cut_off: str
    days: int
    even: float
    seasonal: float | None
    actual: float

    @property
    def used(self) -> float:
        """The forecast as it is made now."""
        return self.even if self.seasonal is None else self.seasonal

    @property
    def missed(self) -> float:
        """The log of what came over what was forecast."""
        return math.log(self.actual / self.used)

    def off(self, forecast: Literal["even", "seasonal"]) -> float:
        """How far a forecast was off, as the log of its ratio to what came."""
        return abs(math.log(max(getattr(self, forecast), 1e-9) / max(self.actual, 1e-9)))


@dataclass(frozen=True)
class ModelScore:
    """What a candidate of `auto` scored on the mean over the cut-offs; see model_choice.choose."""

    model: str
    cut_offs: list[str]
    error: float
    log_loss: float
    miss: float

    @property
    def total(self) -> float:
        """What is chosen by; the less, the better."""
        return self.error + self.log_loss + self.miss


@dataclass(frozen=True)
class Blend:
    """What a forecast is made of: the model's, and by its share a baseline's (see baselines); none: the model's alone.

    `scaled`: the baseline's figures are brought to the model's total. `scores` are what it was chosen by at so many
    `cut_offs`: of the model, the baselines and itself; the less, the better.
    """

    baseline: Literal["", "same_rate", "last_year"] = ""
    share: float = 0.0
    scaled: bool = False
    cut_offs: int = field(default=0, compare=False)
    scores: dict[str, float] = field(default_factory=dict, compare=False)

    def of(self, model: str) -> str:
        """The name of a model's forecasts that are made so, in lifetime.origin."""
        scaled = " to its total" if self.scaled else ""
        return f"{model}, {self.share:.0%} {self.baseline}{scaled}" if self.baseline else model

    def titled(self, model: str) -> str:
        """What charts call it."""
        if not self.baseline:
            return model
        baseline = self.baseline.replace("_", " ")
        if self.share < 1:
            return f"{model} and {baseline}"
        return f"{baseline} instead of {model}"


@dataclass(frozen=True)
class SpendTried:
    """What spend per purchase was off by after an earlier cut-off, as a share of what was spent, over customers.

    `repeat`: Gamma-Gamma on who had come back; `every`: on all purchases, the first too. Both of the purchases that
    came, so that no purchase model has a part in it.
    """

    cut_off: str
    repeat: float
    every: float


@dataclass(frozen=True)
class Total:
    """What all customers will bring (`lifetime_value`) or buy (`expected_purchases`), with its 80 % interval.

    `level_spread`: the standard deviation of the log of forecast over actual, from `origins` forecasts of the past (0:
    from experience with other shops alone).
    """

    measure: str
    forecast: float
    low: float
    high: float
    level_spread: float
    origins: int


@dataclass(frozen=True)
class FittedOn:
    """On which data the fits were made: as of a day, the purchases up to a batch, with these params and this code."""

    as_of: str = ""
    batch: int = 0
    reverted: int = 0  # batches taken back by then
    made_with: str = ""  # a hash of the params and the code


@dataclass(frozen=True)
class LifetimeRecord:
    """What the last refresh did: status `off`, `refused` (then `refused` says why) or `predicted`.

    `as_of` is that of the values; `fitted_on` of the fits, the holdout and the warnings, which may be older (see
    prediction.REFIT_SHARE).
    """

    digest: str = ""
    as_of: str = ""
    fitted_on: FittedOn = FittedOn()
    status: Literal["off", "refused", "predicted"] = "off"
    refused: list[str] = field(default_factory=list)
    customers: int = 0
    repeaters: int = 0
    settings: Lifetime | None = None
    model: str = ""
    choice: list[ModelScore] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)  # of the covariates that are used
    blend: Blend = Blend()
    spends: list[SpendTried] = field(default_factory=list)
    ahead: Ahead | None = None
    seasons: list[Season] = field(default_factory=list)  # what the season did at earlier cut-offs, where it is used
    fits: list[Fit] = field(default_factory=list)
    holdout: Holdout | None = None
    totals: list[Total] = field(default_factory=list)  # value, purchases
    warnings: list[Diagnostic] = field(default_factory=list)
    correlation_of_frequency_and_spend: float | None = None
    evenness: float = 1.0  # of the gaps between purchases; see rhythm.evenness
    contract: ContractRecord | None = None

    @property
    def level(self) -> float:
        """By how much more the forecast is than the model's own, as earlier cut-offs showed."""
        return self.ahead.level if self.ahead else 1.0

    @property
    def purchase_fit(self) -> Fit:
        """The fit of the purchases on all data, by which customers are scored."""
        return next(fit for fit in self.fits if fit.data == "all" and fit.model == self.model)

    @property
    def spend_fit(self) -> Fit | None:
        """The fit of the spend on all data; None where there were too few to fit on."""
        return next((fit for fit in self.fits if fit.data == "all" and fit.model != self.model), None)

    @property
    def title(self) -> str:
        """The name in the literature of the model that predicts, and the baseline that has a part in it."""
        return self.blend.titled(self.purchase_fit.title)

    def as_dict(self) -> dict[str, Any]:
        """The record in plain values, for JSON."""
        return RECORD.dump_python(self, mode="json")


RECORD = TypeAdapter(LifetimeRecord)
