"""What a params file may hold. A wrong key or value is named with its place before anything runs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clv_helpers.config.datasets import (
    DATASETS,
    NUMERIC,
    PRIMARY_IDENTITY,
    PROFILE_MEASURES,
    ColumnContract,
    ColumnType,
)
from clv_helpers.config.destinations import Activation, AnyDestination, DestinationName, check_plan
from clv_helpers.config.schedule import Schedule
from clv_helpers.config.validation import ParamsError, Problem, Strict, read_yaml, validate

LATEST: Final = "latest"
DEFAULT_CAMPAIGN = "default"  # in campaigns: what holds for those that are not named


def _as_day(value: Any) -> Any:
    return value if value == LATEST else _day(value, f"{LATEST}, or a day that exists")


def _day(value: Any, allowed: str = "a day that exists") -> Any:
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{allowed}, written like 2026-01-31") from None


def _check_engine(value: str) -> str:
    if value != "duckdb" and not re.fullmatch(r"spark://(local\[(\d+|\*)\]|[\w.-]+:\d+)|sc://[\w.-]+:\d+", value):
        raise ValueError("duckdb, spark://local[2] (cores of this machine), spark://host:7077 or sc://host:15002")
    return value


def _check_dataset(value: str) -> str:
    if value not in DATASETS:
        raise ValueError(", ".join(DATASETS))
    return value


def _listed_formats(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _check_date_format(value: str) -> str:
    """A day must come back from its own text: so a format names day, month and year, and nothing twice."""
    day = dt.datetime(2033, 11, 28)
    try:
        if dt.datetime.strptime(day.strftime(value), value) == day:
            return value
    except (ValueError, re.error):
        pass
    raise ValueError("day, month and year in codes, such as %d.%m.%Y, %m/%d/%Y or %d.%m.%Y %H:%M")


class Column(Strict):
    """One column of a source: the header it is read from, its type, the values it may have, its unit.

    `identity` names a further namespace in which the value identifies the person (an e-mail address, say).
    `attribute` carries the latest value into the profile, as last_<name> (columns of one's own in purchases).
    """

    source: str = Field(alias="from", min_length=1)
    type: ColumnType | None = None
    unit: str = ""
    enum: list[str] = []
    required: bool = False
    identity: str = ""
    attribute: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value


class CsvFormat(Strict):
    """How a CSV file is written, where it is not to be found out by looking: the delimiter is, from the first line.

    `dates`: how its days and moments are written, one format or several; none: as in ISO 8601.
    """

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    decimal: Literal[".", ","] = "."
    dates: Annotated[list[Annotated[str, AfterValidator(_check_date_format)]], BeforeValidator(_listed_formats)] = []


class Source(Strict):
    """Where one dataset comes from, and how its headers map onto our column names."""

    path: str = Field(min_length=1)
    hint: str | None = None
    namespace: str = "CustomerId"
    profile_enabled: bool = True
    columns: dict[str, Column] | None = None
    csv: CsvFormat = CsvFormat()
    max_rejected_share: float = Field(default=0.05, ge=0, le=1)


class Measure(Strict):
    """A number that is summed: its column, its unit, and the transaction types that count (none = all).

    Amounts count with the sign that they bear, so that what is below zero is taken away; `negative: leave out` counts
    it as nothing. Amounts of `debit_types` are taken away whichever sign they are written with.
    """

    column: str = "amount"
    unit: str = "USD"
    transaction_types: list[str] | None = Field(default=None, min_length=1)
    debit_types: list[str] = []
    negative: Literal["subtract", "leave out"] = "subtract"


class LifetimeGate(Strict):
    """What a prediction needs at least; with less, it is refused with the reason."""

    customers: int = Field(default=500, ge=1)
    history_days: int = Field(default=180, ge=1)
    with_three_purchases: int = Field(default=1, ge=0)
    quiet_days: int = Field(default=30, ge=1)


class Lifetime(Strict):
    """Predicted lifetime value: the model, how far ahead, and what a purchase leaves (margin, discount per year).

    `calibration_end` is the last day that the proof's models know; none: two thirds of the history, or a year ago.
    """

    model: Literal["bg_nbd", "mbg_nbd", "pareto_nbd", "auto"] = "bg_nbd"
    horizon_months: int = Field(default=12, ge=1, le=60)
    annual_discount_rate: float = Field(default=0.10, ge=0, le=1)
    margin: float = Field(default=1.0, gt=0, le=1)
    calibration_end: Annotated[dt.date | None, BeforeValidator(_day)] = None
    minimum: LifetimeGate = LifetimeGate()


class CampaignSettings(Strict):
    """How a campaign's effect is measured: over which days, at which cost.

    The window begins on `sent_on`, or where that is not given on the day each customer was assigned. What was spent in
    the `before_days` before makes the covariate. `control_share` is what was planned, where another system drew.
    """

    sent_on: Annotated[dt.date | None, BeforeValidator(_day)] = None
    window_days: int = Field(default=28, ge=1, le=366)
    before_days: int = Field(default=365, ge=1, le=1_500)
    cost_per_message: float = Field(default=0.0, ge=0)
    margin: float = Field(default=1.0, gt=0, le=1)
    control_share: float | None = Field(default=None, gt=0, lt=1)


class Words(Strict):
    """What this business calls things, singular and plural, wherever people read of them.

    A plural that is not given is the singular with an s. `category` is called as its column is, unless given here.
    """

    customer: str = Field(default="customer", min_length=1)
    customers: str = ""
    purchase: str = Field(default="purchase", min_length=1)
    purchases: str = ""
    value: str = Field(default="value", min_length=1)
    category: str = ""

    @model_validator(mode="before")
    @classmethod
    def _plurals(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        names = {"customers": "customer", "purchases": "purchase"}
        return {many: f"{given.get(one) or one}s" for many, one in names.items()} | given


class Simulation(Strict):
    """The size and the seed of the simulated airline."""

    members: int = Field(default=20_000, ge=50, le=5_000_000)
    years: int = Field(default=3, ge=1, le=10)
    seed: int = Field(default=2026, ge=0)


class Params(Strict):
    """A workbook: its data, what counts as value, and where audiences go."""

    title: str = Field(min_length=1)
    engine: Annotated[str, AfterValidator(_check_engine)] = "duckdb"
    as_of: Annotated[Literal["latest"] | dt.date, BeforeValidator(_as_day)] = LATEST
    simulate: Simulation | None = None
    sources: dict[Annotated[str, AfterValidator(_check_dataset)], Source]
    value: Measure = Measure()
    spend: Measure | None = None
    category: str | None = None
    words: Words = Words()
    literal_guide_windows: bool = False
    trend_months: int = Field(default=24, ge=1, le=120)
    migration_months: int = Field(default=3, ge=1, le=24)
    min_cell: int = Field(default=11, ge=1, le=1000)
    lifetime: Lifetime | None = None
    destinations: dict[DestinationName, AnyDestination] = {}
    activations: list[Activation] = []
    campaigns: dict[str, CampaignSettings] = {}
    control_arm: str = Field(default="control", min_length=1)
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Params:
        if "purchases" not in self.sources and "experiments" not in self.sources:
            raise ValueError("sources needs purchases: the purchases or miles that make the value")
        for name in self.sources:
            self._check_columns(name)
        if "purchases" not in self.sources:  # a finished experiment needs nothing else
            return self
        self._check_namespaces()
        events = {name: column.type for name, column in self.contract("purchases").items()}
        for key, column in (("value", self.value.column), ("spend", self.spending.column)):
            if events.get(column) not in NUMERIC:
                numbers = [c for c, t in events.items() if t in NUMERIC]
                raise ValueError(f"{key}.column is {column!r}; allowed: {', '.join(numbers) or 'no numeric column'}")
        if self.category and events.get(self.category) != "text":
            texts = ", ".join(c for c, t in events.items() if t == "text" and c != PRIMARY_IDENTITY)
            raise ValueError(f"category is {self.category!r}; allowed: {texts or 'no text column in purchases'}")
        check_plan(self.activations, self.destinations)
        return self

    def _check_columns(self, name: str) -> None:
        contract, own = self.contract(name), self.sources[name].columns or {}
        lacking = [c for c, known in DATASETS[name].items() if known.required and c not in contract]
        if lacking:
            raise ValueError(f"sources.{name}.columns needs {', '.join(lacking)}")
        for column, spec in own.items():
            place = f"sources.{name}.columns.{column}"
            if column not in DATASETS[name] and spec.type is None:
                raise ValueError(f"{place} needs a type: it is a column of your own")
            if spec.attribute and (name != "purchases" or column in DATASETS[name]):
                raise ValueError(f"{place}.attribute is true; allowed: for a column of your own in purchases")
            if name == "customers" and column in PROFILE_MEASURES:
                raise ValueError(f"{place} is a measure of the profile; allowed: another name")

    def _check_namespaces(self) -> None:
        """One profile per primary identity: numbers of two namespaces may be alike and mean two people."""
        ours = self.sources["purchases"].namespace
        if not self.sources["purchases"].profile_enabled:
            raise ValueError("sources.purchases.profile_enabled is false; allowed: true, as it makes the profile")
        for name, source in self.sources.items():
            if source.profile_enabled and source.namespace != ours:
                raise ValueError(
                    f"sources.{name}.namespace is {source.namespace!r}; allowed: {ours}, that of purchases, "
                    "or profile_enabled: false"
                )

    @property
    def spending(self) -> Measure:
        """What a purchase is and what it costs; the value itself where the params do not tell them apart."""
        return self.spend or self.value

    def in_words(self) -> Words:
        """The words of this workbook, that for the category among them: as given, or as its column is headed."""
        if self.words.category or not self.category:
            return self.words.model_copy(update={"category": self.words.category or "category"})
        column = self.contract("purchases")[self.category]
        heading = column.header if column.name == "category" else column.name
        return self.words.model_copy(update={"category": heading.replace("_", " ").lower()})

    def campaign(self, name: str) -> CampaignSettings:
        """How a campaign's effect is measured: by its own keys, those of `default`, then the model's."""
        given = [self.campaigns[key] for key in (DEFAULT_CAMPAIGN, name) if key in self.campaigns]
        return CampaignSettings(**{key: getattr(each, key) for each in given for key in each.model_fields_set})

    def contract(self, dataset: str) -> dict[str, ColumnContract]:
        """The columns that a dataset has in this workbook, by name: what we know of them, and what the params say."""
        known = DATASETS[dataset]
        if dataset not in self.sources:
            return {}
        source = self.sources[dataset]
        if source.columns is None:  # no mapping: the file uses our names
            columns = dict(known)
        else:
            columns = {name: _contract(name, spec, known.get(name)) for name, spec in source.columns.items()}
        if PRIMARY_IDENTITY in columns:
            primary = dataclasses.replace(columns[PRIMARY_IDENTITY], identity=source.namespace)
            columns[PRIMARY_IDENTITY] = primary
        return columns


def _contract(name: str, spec: Column, known: ColumnContract | None) -> ColumnContract:
    """What the params say of a column, over what we know of it."""
    return ColumnContract(
        name,
        spec.source,
        spec.type or (known.type if known else "text"),
        spec.required or (known is not None and known.required),
        tuple(spec.enum) or (known.enum if known else ()),
        spec.unit,
        spec.identity or (known.identity if known else ""),
    )


def load_params(file: Path, overrides: dict[str, Any] | None = None) -> Params:
    """Read and validate a params file; `overrides` maps dotted keys (`simulate.members`) to values.

    Raises ParamsError with one sentence per wrong place.
    """
    raw = read_yaml(file)
    for key, value in (overrides or {}).items():
        _override(raw, key, value, str(file))
    return validate(Params, raw, str(file))


def _override(raw: dict[str, Any], key: str, value: Any, file: str) -> None:
    *parents, last = key.split(".")
    place = raw
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ParamsError(file, [Problem(key, repr(value), f"only keys below a mapping, and {parent} is none")])
    place[last] = value


def expand(text: str, **known: str) -> str:
    """Replace ${NAME} by a known folder or an environment variable. Raises KeyError with the name."""
    return re.sub(r"\$\{(\w+)\}", lambda match: known.get(match[1]) or os.environ[match[1]], text)
