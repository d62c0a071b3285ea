"""What a params file may hold. A wrong key or value is named with its place before anything runs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import os
import re
import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from clv_helpers.config.acquisition import Acquisition, check_acquisition
from clv_helpers.config.attributes import AnyAttribute, AttributeName, check_attributes
from clv_helpers.config.attribution import Attribution, check_attribution
from clv_helpers.config.bots import Bots, check_bots
from clv_helpers.config.covariates import check_covariates
from clv_helpers.config.datasets import (
    COSTS,
    DATASETS,
    EVENT_DATASETS,
    EVENT_TIME,
    EVENTS_ROLE,
    LOOKUP_ROLE,
    NUMERIC,
    PRIMARY_IDENTITY,
    PROFILE_MEASURES,
    ColumnContract,
)
from clv_helpers.config.deciles import Decile, check_deciles
from clv_helpers.config.destinations import Activation, AnyDestination, DestinationName, check_plan
from clv_helpers.config.identities import SAYING, Identities, check_identities, check_match
from clv_helpers.config.own_columns import own_columns
from clv_helpers.config.recipes import with_presets
from clv_helpers.config.report import Report
from clv_helpers.config.retention import LONGEST_LOOKBACK, Retention, check_retention, in_months
from clv_helpers.config.schedule import Schedule
from clv_helpers.config.settings import CampaignSettings, Lifetime, Measure, Simulation, Words, as_day
from clv_helpers.config.sources import Source, column_contract, named_by_role
from clv_helpers.config.tables import PYTHON_TABLES
from clv_helpers.config.validation import ParamsError, Problem, Strict, nearest, read_yaml, validate

LATEST: Final = "latest"
TAKEN = ("health", "lock")  # by the stream, which has a path and a folder per dataset
DEFAULT_CAMPAIGN = "default"  # in campaigns: what holds for those that are not named


def _as_day(value: Any) -> Any:
    return value if value == LATEST else as_day(value, f"{LATEST}, or a day that exists")


def _check_engine(value: str) -> str:
    if value != "duckdb" and not re.fullmatch(r"spark://(local\[(\d+|\*)\]|[\w.-]+:\d+)|sc://[\w.-]+:\d+", value):
        raise ValueError("duckdb, spark://local[2] (cores of this machine), spark://host:7077 or sc://host:15002")
    return value


def _check_memory(value: str) -> str:
    if value and not re.fullmatch(r"[1-9][0-9]{0,3} ?GB|[1-9][0-9]{2,5} ?MB", value):
        raise ValueError("whole GB or at least 100 MB, such as 4GB or 800MB")
    return value


@functools.cache
def _time_zones() -> set[str]:
    """Those that Python and DuckDB both know: a system's list may have one more, such as `localtime`."""
    import duckdb

    with duckdb.connect() as connection:
        names = connection.execute("SELECT name FROM pg_timezone_names()").fetchall()
    return zoneinfo.available_timezones() & {name for (name,) in names}


def _check_time_zone(value: str) -> str:
    if value != "UTC" and value not in _time_zones():
        meant = nearest(value, sorted(_time_zones()))
        raise ValueError(meant if meant.startswith("did you") else "a name such as UTC, Europe/London, Asia/Tokyo")
    return value


def _check_dataset(value: str) -> str:
    if value in DATASETS:
        return value
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise ValueError("small letters, digits and _, such as web_visits")
    if f"lake.{value}" in PYTHON_TABLES or value in TAKEN:
        raise ValueError("another name: this one is the workbook's own")
    return value


class Params(Strict):
    """A workbook: its data, what counts as value, and where audiences go."""

    title: str = Field(min_length=1)
    """the report's heading"""
    engine: Annotated[str, AfterValidator(_check_engine)] = "duckdb"
    """where the tables are: `duckdb` (embedded), `spark://local[2]` (cores of this machine), `spark://host:7077`, or
    Spark Connect: `sc://host:15002`; see engines.md"""
    spark_above: int = Field(default=10_000_000, ge=0)
    """on a Spark: what reads more rows than these is Spark's; all else is worked out by DuckDB in this process, from
    the same files; 0: all by Spark"""
    memory: Annotated[str, AfterValidator(_check_memory)] = ""
    """the most memory that DuckDB takes to ingest and to build tables, such as `4GB`; what does not fit goes to the
    disk, into `spill/` beside the lake; empty: four fifths of the machine's. Boards and SQL of others have 2 GB"""
    as_of: Annotated[Literal["latest"] | dt.date, BeforeValidator(_as_day)] = LATEST
    """the day as of which everything is computed, or `latest`: the day after the last event"""
    time_zone: Annotated[str, AfterValidator(_check_time_zone)] = "UTC"
    """whose days, months and hours are meant, such as `Europe/London`; times with an offset become its times, times
    without one are taken as they are"""
    rates: str = ""
    """a CSV file of exchange rates, relative to this file: `date`, `currency`, `rate` (what one unit of the currency is
    worth in `value.unit`); needed where `purchases` has a column `currency` with more than one"""
    simulate: Simulation | None = None
    """make simulated data first: an airline's, or a web shop's"""
    sources: Annotated[
        dict[Annotated[str, AfterValidator(_check_dataset)], Source],
        BeforeValidator(with_presets),
        BeforeValidator(named_by_role),
    ]
    """the datasets: `purchases` (needed), `customers` (e-mail, consent, name, region), `email_events` (what
    campaigns gave), `assignments` (who was treated and who was control in campaigns of another system), `costs` (what
    channels cost by month), or `experiments` alone (a finished randomised mailing); beside them any number under names
    of your own, that say what they are: `is: events` (visits, calls, returns) or `is: lookup` (products, stores)"""
    value: Measure = Measure()
    """the measure that deciles rank"""
    spend: Measure | None = None
    """what a purchase is and costs, where it is not the value; none: as `value`"""
    category: str | None = None
    """the column of `purchases` by which customers are also ranked apart: a tier, a country, a channel"""
    attributes: dict[AttributeName, AnyAttribute] = {}
    """what events say of a customer, one line each, and arithmetic over it; they join the profile, see attributes.md"""
    deciles: list[Decile] = []
    """further rankings: customers by any measure of any dataset, within any categories; see deciles.md"""
    words: Words = Words()
    """what this business calls its customers, purchases and value, wherever people read of them"""
    literal_guide_windows: bool = False
    """whether the guide's cut-offs, taken literally, stand beside as further look-backs"""
    trend_months: int = Field(default=24, ge=1, le=120)
    """how many whole months the trend shows"""
    migration_months: int = Field(default=3, ge=1, le=24)
    """from how long ago customers are followed from decile to decile"""
    lost_after_months: int = Field(default=12, ge=1, le=60)
    """after how many months without a purchase a customer counts as lost on the customers board"""
    min_cell: int = Field(default=11, ge=1, le=1000)
    """charts, boards and the report leave out groups of fewer people, and whatever else would give them away"""
    lifetime: Lifetime | None = None
    """predict lifetime value; none: it is not predicted"""
    acquisition: Acquisition | None = None
    """by which channel customers came, what it cost, and when that is back; none: no such board; see acquisition.md"""
    destinations: dict[DestinationName, AnyDestination] = {}
    """where audiences go, by name; see destinations.md"""
    activations: list[Activation] = []
    """which audience goes to which destination for which campaign; see destinations.md"""
    campaigns: dict[str, CampaignSettings] = {}
    """how effects are measured, by campaign; `default` for all others"""
    control_arm: str = Field(default="control", min_length=1)
    """in `experiments`, the arm that got nothing"""
    attribution: Attribution | None = None
    """credit purchases to the messages or visits before them; none: they are not; see campaigns.md"""
    bots: Bots | None = None
    """tell visitors that are bots from people; none: nobody is taken for one"""
    identities: Identities | None = None
    """which customer ids are one person's; none: each id is a customer"""
    retention: Retention | None = None
    """how long events are kept; none: for good"""
    schedule: Schedule | None = None
    """when the tables are refreshed; see schedule.md"""
    report: Report = Report()
    """how the report is printed, kept and delivered; see delivery.md"""

    @model_validator(mode="before")
    @classmethod
    def _one_time_zone(cls, given: Any) -> Any:
        """A schedule without a time zone of its own fires by that of the workbook."""
        if not isinstance(given, dict) or not isinstance(given.get("schedule"), dict) or "time_zone" not in given:
            return given
        return given | {"schedule": {"time_zone": given["time_zone"]} | given["schedule"]}

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Params:
        if "purchases" not in self.sources and "experiments" not in self.sources:
            raise ValueError("sources needs purchases: the purchases or miles that make the value")
        for name in self.sources:
            if name in self.sessions:
                raise ValueError(f"sources.{name} is what the sessions of {self.sessions[name]} are called")
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
        check_bots(self)
        check_attribution(self)
        check_plan(self.activations, self.destinations)
        self._check_retention()
        self._check_identities()
        check_covariates(self)
        check_attributes(self, (info.context or {}).get("own_columns", []))
        check_deciles(self)
        check_acquisition(self)
        return self

    def _check_retention(self) -> None:
        if self.retention is None:
            return
        if self.engine != "duckdb":
            raise ValueError("retention needs engine duckdb: Spark's folders of Parquet are never changed")
        needs = {"the longest look-back, before migration_months": LONGEST_LOOKBACK + self.migration_months}
        needs["trend_months"] = self.trend_months
        mails = {f"deciles.{each.name}": each.months for each in self.deciles if each.of.dataset == "email_events"}
        needs |= {name: each.months for each in self.deciles if (name := f"deciles.{each.name}") not in mails}
        if self.lifetime:  # as long a history again before the holdout of one horizon
            needs["twice lifetime.horizon_months"] = 2 * self.lifetime.horizon_months
        for name, campaign in self.campaigns.items():
            needs[f"campaigns.{name}"] = in_months(campaign.before_days + campaign.window_days)
        caps = [plan.frequency_cap.days for plan in self.activations if plan.frequency_cap]
        windows = [campaign.window_days for campaign in self.campaigns.values()]
        mails |= {"frequency_cap and window_days": in_months(max([1, *caps, *windows]))}
        check_retention(self.retention, needs, mails)

    def _check_identities(self) -> None:
        if self.identities is None:
            return
        if self.engine != "duckdb":
            raise ValueError("identities needs engine duckdb: Spark's folders of Parquet are never changed")
        check_identities(self.identities, {name: self.contract(name) for name in SAYING})
        if self.identities.match:
            lists = [name for name, source in self.sources.items() if source.profile_enabled and name != "purchases"]
            of_customers = {name: self.contract(name) for name in lists if name not in self.lookups}
            check_match(self.identities.match, of_customers)

    def _check_columns(self, name: str) -> None:
        contract, own, known = self.contract(name), self.sources[name].columns or {}, self._known(name)
        lacking = [c for c, each in known.items() if each.required and c not in contract]
        if lacking:
            raise ValueError(f"sources.{name}.columns needs {', '.join(lacking)}")
        for column, spec in own.items():
            place = f"sources.{name}.columns.{column}"
            if column not in known and spec.type is None:
                raise ValueError(f"{place} needs a type: it is a column of your own")
            if spec.attribute and (name != "purchases" or column in known):
                raise ValueError(f"{place}.attribute is true; allowed: for a column of your own in purchases")
            if name == "customers" and column in PROFILE_MEASURES:
                raise ValueError(f"{place} is a measure of the profile; allowed: another name")
        self._check_own(name)

    def _check_own(self, name: str) -> None:
        """What columns of one's own are called; and that a lookup says something of things."""
        contract, place, is_lookup = self.contract(name), f"sources.{name}.columns", name in self.lookups
        taken = {f"{lookup}.{column}" for lookup in self.lookups for column in self.contract(lookup)}
        for column in contract:
            if column in taken and not is_lookup:
                raise ValueError(f"{place}.{column} is what a column of a lookup is called; allowed: another name")
            if name not in DATASETS and (column.startswith("_") or "." in column):
                raise ValueError(f"{place}.{column} is no name; allowed: one without a dot that begins with a letter")
            if is_lookup and column == EVENT_TIME:
                raise ValueError(f"{place}.{column} is the moment of an event; allowed: in a lookup, another name")
            if is_lookup and contract[column].identity:
                raise ValueError(f"{place}.{column}.identity is of customers; allowed: in events and customers")
        if is_lookup and len(contract) == 1:
            raise ValueError(f"{place} needs a column beside the key: what is looked up")

    def _known(self, dataset: str) -> dict[str, ColumnContract]:
        """The columns of a dataset that are known whatever the params say of its columns."""
        return DATASETS.get(dataset) or self.sources[dataset].known

    def _check_namespaces(self) -> None:
        """One profile per primary identity: numbers of two namespaces may be alike and mean two people."""
        ours = self.sources["purchases"].namespace
        if not self.sources["purchases"].profile_enabled:
            raise ValueError("sources.purchases.profile_enabled is false; allowed: true, as it makes the profile")
        for name, source in self.sources.items():
            of_customers = name not in (*self.lookups, COSTS) and source.profile_enabled
            if of_customers and source.namespace != ours:
                raise ValueError(
                    f"sources.{name}.namespace is {source.namespace!r}; allowed: {ours}, that of purchases, "
                    "or profile_enabled: false"
                )

    @property
    def spending(self) -> Measure:
        """What a purchase is and what it costs; the value itself where the params do not tell them apart."""
        return self.spend or self.value

    @property
    def has_products(self) -> bool:
        """Whether purchases name what was bought."""
        return bool(self.contract("purchases").keys() & {"product", "product_id"})

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

    @property
    def datasets(self) -> dict[str, dict[str, ColumnContract]]:
        """The columns that each dataset has whatever its source says: of the known ones, then of this workbook's own.

        The lake has a table for each, perhaps empty.
        """
        own = {name: source.known for name, source in self.sources.items() if name not in DATASETS}
        return DATASETS | own

    @property
    def event_datasets(self) -> tuple[str, ...]:
        """The datasets whose rows are what a customer did at a moment: the known ones, this workbook's own, sessions.

        Sessions are no source: a table holds them, see `event_rows`.
        """
        own = (name for name, source in self.sources.items() if source.is_ == EVENTS_ROLE)
        return (*EVENT_DATASETS, *own, *self.sessions)

    @property
    def sessions(self) -> dict[str, str]:
        """The datasets of sessions by name, with the source of whose events they are made: web_sessions of web."""
        return {f"{name}_sessions": name for name, source in self.sources.items() if source.sessions}

    @property
    def lookups(self) -> dict[str, str]:
        """The lookups by name, with the column by which their rows are found."""
        return {name: source.key for name, source in self.sources.items() if source.is_ == LOOKUP_ROLE}

    def contract(self, dataset: str) -> dict[str, ColumnContract]:
        """The columns that a dataset has in this workbook, by name: what we know of them, and what the params say."""
        if dataset not in self.sources:
            return {}
        source, known = self.sources[dataset], self._known(dataset)
        if source.columns is None:  # no mapping: the file uses our names
            columns = dict(known)
        else:
            is_lookup = source.is_ == LOOKUP_ROLE
            columns = {
                name: column_contract(name, spec, known.get(name), is_lookup) for name, spec in source.columns.items()
            }
        for name in columns.keys() & set(self.lookups.values()):
            columns[name] = dataclasses.replace(columns[name], is_key=True)
        if PRIMARY_IDENTITY in columns and source.is_ != LOOKUP_ROLE:
            primary = dataclasses.replace(columns[PRIMARY_IDENTITY], identity=source.namespace)
            columns[PRIMARY_IDENTITY] = primary
        return columns


def load_params(file: Path, overrides: dict[str, Any] | None = None) -> Params:
    """Read and validate a params file; `overrides` maps dotted keys (`simulate.members`) to values.

    Raises ParamsError with one sentence per wrong place.
    """
    raw = read_yaml(file)
    for key, value in (overrides or {}).items():
        _override(raw, key, value, str(file))
    own = own_columns(file.resolve().parent / file.stem / "sql") if raw.get("attributes") else []
    return validate(Params, raw, str(file), {"own_columns": own})


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
