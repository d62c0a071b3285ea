"""What a params file says of its sources: where each dataset comes from, and how its headers map onto our columns."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clv_helpers.config.datasets import (
    DATASETS,
    EVENTS_ROLE,
    LOOKUP_ROLE,
    NAMING,
    OWN_EVENTS,
    PERSONAL,
    ColumnContract,
    ColumnType,
)
from clv_helpers.config.row_expressions import check as check_expression
from clv_helpers.config.validation import Strict, nearest


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


EPOCHS = {"epoch seconds": 1_000_000, "epoch milliseconds": 1_000}  # how many microseconds each counts


def _check_date_format(value: str) -> str:
    """A day must come back from its own text: so a format names day, month and year, and nothing twice."""
    if value in EPOCHS:
        return value
    day = dt.datetime(2033, 11, 28, tzinfo=dt.UTC if "%z" in value else None)
    try:
        if dt.datetime.strptime(day.strftime(value), value) == day:
            return value
    except (ValueError, re.error):
        pass
    raise ValueError("day, month and year in codes, such as %d.%m.%Y, %m/%d/%Y or %d.%m.%Y %H:%M")


Header = Annotated[str, Field(min_length=1)]
RowSql = Annotated[str, AfterValidator(check_expression)]


def _check_pause(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,3} (minute|hour)s?", value):
        raise ValueError("minutes or hours, such as 30 minutes or 1 hour")
    return value


class Statuses(Strict):
    """What the values of the column `status` make of a row, written in whichever case; other values count."""

    refunded: list[str] = []
    """the purchase was paid back whole: it counts as one and as its refund"""
    left_out: list[str] = []
    """the row is no purchase: cancelled, pending, voided"""


class Column(Strict):
    """One column of a source: the header it is read from, its type, the values it may have, its unit."""

    headers: Annotated[list[Header], BeforeValidator(_listed)] = Field(default=[], alias="from")
    """the header in the file; of several, the first that the file has"""
    sql: RowSql = ""
    """in its place an expression over the headers of the file, such as `Quantity * Price`; a header that is calculated
    with, or compared with a number, is read as a number, any other as text"""
    type: ColumnType | None = None
    """what it holds; needed for a column of your own"""
    unit: str = ""
    """for people to read"""
    enum: list[str] = []
    """the values that it may have; other rows are rejected"""
    required: bool = False
    """whether rows without it are rejected"""
    identity: str = ""
    """a further namespace in which it identifies the customer (an e-mail address, say)"""
    personal: bool | None = None
    """whether it names a person, as a phone number or free text may: then no chart shows it; none: by its name"""
    attribute: bool = False
    """whether its latest value joins the profile as `last_<name>`; for columns of your own in `purchases`"""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str | list) else value

    @model_validator(mode="after")
    def _from_one_place(self) -> Column:
        if bool(self.headers) == bool(self.sql):
            raise ValueError("either from (a header of the file) or sql (an expression over its headers)")
        return self


class CsvFormat(Strict):
    """How a CSV file is written, where it is not to be found out by looking."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """none: the one of `,` `;` tab `|` that parts the first line into most columns"""
    encoding: Literal["utf-8", "utf-16", "cp1252", "latin-1"] = "utf-8"
    """the file's encoding"""
    decimal: Literal[".", ","] = "."
    """the decimal mark of numbers"""
    dates: Annotated[list[Annotated[str, AfterValidator(_check_date_format)]], BeforeValidator(_listed)] = []
    """how days and moments are written, one format or several, such as `"%d.%m.%Y"` or `"%m/%d/%Y %I:%M %p"`, with `%z`
    for an offset; `epoch seconds` and `epoch milliseconds` count from 1970; none: as in ISO 8601"""


def has_password(address: str) -> bool:
    """Whether a database's address, as params give it, has a password in it rather than a variable's name."""
    return re.search(r"://[^/]*:(?!\$\{)[^/]*@", address) is not None


class FromDatabase(Strict):
    """A table or a query of a database, of which each pull takes what came since the last."""

    database: str = Field(min_length=1)
    """its address, such as `${SHOP_DSN}`: PostgreSQL (`postgresql://user:password@host/shop`), Redshift (`redshift://`),
    Snowflake (`snowflake://user:password@account/SHOP/PUBLIC`), MySQL and MariaDB (`mysql://`), an SQLite or
    DuckDB file (`sqlite:///file`, `duckdb:///file`); a password stands in an environment variable"""
    table: str = ""
    """a table or view, with its schema where it needs one"""
    query: str = ""
    """in its place a file in the folder that is named as the params file, with one SELECT in the database's own SQL"""
    cursor: str = ""
    """the column that grows with what is new or changed, such as `updated_at` or a running number, never empty; none:
    all rows are fetched each time, and those that came before are passed over"""
    overlap: Annotated[str, Field(pattern=r"^\d{1,5} (minute|hour|day)s?$")] | None = None
    """how far before the last value the next pull begins, such as `2 days`, for rows that become visible late; those
    that came before are passed over"""
    timeout: Annotated[str, Field(pattern=r"^[1-9]\d{0,4} (second|minute|hour)s?$")] = "10 minutes"
    """how long a server may say nothing while it is asked, such as `60 seconds`, before the pull ends without a row"""

    @model_validator(mode="after")
    def _one_place(self) -> FromDatabase:
        if bool(self.table) == bool(self.query):
            raise ValueError("either table or query")
        if self.overlap and not self.cursor:
            raise ValueError("overlap is told of a cursor; allowed: cursor beside it")
        if has_password(self.database):
            raise ValueError("no password here; allowed: the address, or its password, as ${VARIABLE}")
        return self

    @property
    def step_back(self) -> dt.timedelta:
        """The overlap."""
        return _span(self.overlap or "0 days")

    @property
    def meets_again(self) -> bool:
        """Whether a pull may fetch rows that came before."""
        return bool(self.overlap or not self.cursor)

    @property
    def silent_seconds(self) -> float:
        """The timeout."""
        return _span(self.timeout).total_seconds()


def _span(text: str) -> dt.timedelta:
    count, unit = text.split()
    return dt.timedelta(**{f"{unit.rstrip('s')}s": int(count)})


Role = Literal["purchases", "customers", "email_events", "assignments", "experiments", "costs", "events", "lookup"]


class Source(Strict):
    """Where one dataset comes from, and how its headers map onto our column names."""

    is_: Role | None = Field(default=None, alias="is")
    """what its rows are: `events` (visits, calls, returns: whatever a customer does at a moment), `lookup` (products,
    stores, days: facts by a key), or one of the known datasets, whose names say it by themselves"""
    key: str = ""
    """of a lookup: its column that is unique; it joins each dataset of events that has a column of this name"""
    sessions: Annotated[str, AfterValidator(_check_pause)] | None = None
    """of events: the pause that ends a session, such as `30 minutes`"""
    path: str = ""
    """a file, a pattern (`purchases/*.csv`) or a folder, relative to the params file; `${VARIABLE}` is replaced by
    an environment variable; or an address: `s3://`, `gs://`, `az://`, `https://`, `sftp://`"""
    database: FromDatabase | None = Field(default=None, alias="from")
    """in its place a database"""
    hint: str | None = None
    """where the data can be had, said where the file is missing"""
    namespace: str = "CustomerId"
    """the namespace of the customer id"""
    profile_enabled: bool = True
    """whether its customers join the profile"""
    preset: str = ""
    """a recipe by name, for an export as a system writes it: what it says holds where nothing else is said here; see
    recipes.md"""
    sheet: str = ""
    """the sheet of an Excel file; none: its first"""
    columns: dict[str, Column] | None = None
    """our name: the header in the file; none: the file has our names"""
    where: RowSql = ""
    """an expression over the headers that the rows of a purchase fulfil; the others are left out and counted"""
    leave_out: dict[str, RowSql] = {}
    """rows that are left out and counted, by a name for them: an expression over the headers, such as
    `postage: "StockCode IN ('POST', 'DOT')"`"""
    guests: Literal["reject", "leave out", "join by email"] = "reject"
    """what becomes of rows without a customer id"""
    exclude: list[str] = []
    """customer ids that are nobody's, such as that under which a till books whoever has no card; their rows are left
    out and counted"""
    statuses: Statuses = Statuses()
    """what the column `status` makes of a row"""
    amount_without: list[Literal["tax", "shipping"]] = []
    """what the file's amount holds and is to be taken off"""
    csv: CsvFormat = CsvFormat()
    """how a CSV file is written"""
    max_rejected_share: float = Field(default=0.05, ge=0, le=1)
    """a batch with a larger share of rejected rows fails"""

    @model_validator(mode="after")
    def _from_one_place(self) -> Source:
        if bool(self.path) == bool(self.database):
            raise ValueError("either path (files) or from (a database)")
        return self

    @model_validator(mode="after")
    def _role_has_its_keys(self) -> Source:
        if self.sessions and self.is_ != EVENTS_ROLE:
            raise ValueError(f"sessions is {self.sessions!r}; allowed: beside is: events")
        if self.key and self.is_ != LOOKUP_ROLE:
            raise ValueError(f"key is {self.key!r}; allowed: beside is: lookup")
        if self.is_ == LOOKUP_ROLE and not self.key:
            raise ValueError("key is missing; allowed: the column by which a lookup's rows are found")
        return self

    @property
    def known(self) -> dict[str, ColumnContract]:
        """The columns that a dataset of one's own has whatever its columns say; none of a known one's."""
        if self.is_ == LOOKUP_ROLE:
            return {self.key: ColumnContract(self.key, self.key, "text", required=True)}
        return OWN_EVENTS if self.is_ == EVENTS_ROLE else {}

    @property
    def place(self) -> str:
        """Where the rows are, for people to read."""
        return self.path or (self.database.table or self.database.query if self.database else "")


def named_by_role(sources: Any) -> Any:
    """The `sources` of a params file, a source that is one of the known datasets under the name of that.

    So `orders: {is: purchases}` is the dataset purchases, in what is said of it too. Raises ValueError for a name that
    does not say what it is, or says otherwise, and for two sources of one dataset.
    """
    if not isinstance(sources, dict):
        return sources
    named: dict[Any, Any] = {}
    for name, source in sources.items():
        role = source.get("is") if isinstance(source, dict) else None
        if role is None and name not in DATASETS:
            known = nearest(str(name), [*DATASETS])
            raise ValueError(f"{name} is of no kind; allowed: is: events or is: lookup beside it, or {known}")
        if name in DATASETS and role not in (None, name):
            raise ValueError(f"{name}.is is {role!r}; allowed: {name}, or another name for the source")
        dataset = role if role in DATASETS else name
        if dataset in named or (dataset != name and dataset in sources):
            many = "its path may be of many files (sales/*.csv), and a column of several headers (from: [day, date])"
            raise ValueError(f"{name}.is is {role!r}; allowed: one source of {dataset}; {many}")
        named[dataset] = source
    return named


def column_contract(name: str, spec: Column, known: ColumnContract | None, of_things: bool = False) -> ColumnContract:
    """What the params say of a column, over what we know of it.

    `of_things`: a row is no person's, so that a `name` is a thing's; an e-mail address names a person even there.
    """
    is_personal = name in PERSONAL or (bool(NAMING.fullmatch(name)) and not of_things)
    return ColumnContract(
        name,
        spec.headers[0] if spec.headers else name,
        spec.type or (known.type if known else "text"),
        spec.required or (known is not None and known.required),
        tuple(spec.enum) or (known.enum if known else ()),
        spec.unit,
        spec.identity or (known.identity if known else ""),
        is_personal if spec.personal is None else spec.personal,
        tuple(spec.headers),
        spec.sql,
    )
