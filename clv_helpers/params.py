"""What a params file may hold. A wrong key or value is named with its place before anything runs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import os
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from clv_helpers.contract import DATASETS, NUMERIC, PRIMARY_IDENTITY, ColumnContract, ColumnType

LATEST = "latest"
Spec = typing.TypeVar("Spec", bound=BaseModel)


class Problem(typing.NamedTuple):
    """One thing wrong in a file: where, what stands there, and what may stand there."""

    path: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path} is {self.value}; allowed: {self.allowed}"


class ParamsError(ValueError):
    """A file that cannot be used; `problems` has one entry per wrong place."""

    def __init__(self, file: str, problems: list[Problem]):
        self.problems = problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))

    def _render_traceback_(self) -> list[str]:
        """In a notebook the sentences alone are shown: a stack trace says nothing to an analyst."""
        return [str(self)]


class Strict(BaseModel):
    """Base of every spec: unknown keys are errors, and values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _as_day(value: Any) -> Any:
    if value == LATEST or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{LATEST}, or a day that exists, written like 2026-01-31") from None


class Column(Strict):
    """One column of a source: the header it is read from, its type, the values it may have, its unit.

    `identity` names a further namespace in which the value identifies the person (an e-mail address, say).
    """

    source: str = Field(alias="from", min_length=1)
    type: ColumnType | None = None
    unit: str = ""
    enum: list[str] = []
    required: bool = False
    identity: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value


class CsvFormat(Strict):
    """How a CSV file is written, where it is not to be found out by looking: DuckDB sniffs the delimiter."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    decimal: Literal[".", ","] = "."


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
    """A number that is summed: its column, its unit, and the transaction types that count (none = all)."""

    column: str = "amount"
    unit: str = "USD"
    transaction_types: list[str] | None = Field(default=None, min_length=1)


class Simulation(Strict):
    """The size and the seed of the simulated airline."""

    members: int = Field(default=20_000, ge=50, le=5_000_000)
    years: int = Field(default=3, ge=1, le=10)
    seed: int = Field(default=2026, ge=0)


class Destination(Strict):
    """A folder that receives audiences as CSV files; `columns` maps profile field → header, in order."""

    type: Literal["folder"] = "folder"
    path: str = "${OUTPUTS}/exports"
    columns: dict[str, str] = Field(min_length=1)
    mandatory: list[str] = []
    require_consent: bool = True


class Activation(Strict):
    """One audience sent to one destination for one campaign."""

    audience: str
    destination: str
    campaign: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    activate: bool = False


class Params(Strict):
    """A workbook: its data, what counts as value, and where audiences go."""

    title: str = Field(min_length=1)
    as_of: Annotated[Literal["latest"] | dt.date, BeforeValidator(_as_day)] = LATEST
    simulate: Simulation | None = None
    sources: dict[Literal["loyalty_events", "members", "email_events"], Source]
    value: Measure = Measure()
    spend: Measure | None = None
    category: str | None = None
    trend_months: int = Field(default=24, ge=1, le=120)
    destinations: dict[str, Destination] = {}
    activations: list[Activation] = []

    @model_validator(mode="after")
    def _fits_together(self) -> Params:
        if "loyalty_events" not in self.sources:
            raise ValueError("sources needs loyalty_events: the purchases or miles that make the value")
        for name, source in self.sources.items():
            contract = self.contract(name)
            lacking = [c for c, known in DATASETS[name].items() if known.required and c not in contract]
            if lacking:
                raise ValueError(f"sources.{name}.columns needs {', '.join(lacking)}")
            for column, spec in (source.columns or {}).items():
                if column not in DATASETS[name] and spec.type is None:
                    raise ValueError(f"sources.{name}.columns.{column} needs a type: it is a column of your own")
        events = {name: column.type for name, column in self.contract("loyalty_events").items()}
        for key, column in (("value", self.value.column), ("spend", self.spending.column)):
            if events.get(column) not in NUMERIC:
                numbers = [c for c, t in events.items() if t in NUMERIC]
                raise ValueError(f"{key}.column is {column!r}; allowed: {', '.join(numbers) or 'no numeric column'}")
        if self.category and events.get(self.category) != "text":
            raise ValueError(f"category is {self.category!r}; allowed: a text column of loyalty_events")
        for index, activation in enumerate(self.activations):
            if activation.destination not in self.destinations:
                known = ", ".join(self.destinations) or "none is declared"
                raise ValueError(f"activations[{index}].destination is {activation.destination!r}; allowed: {known}")
        return self

    @property
    def spending(self) -> Measure:
        """What a purchase is and what it costs; the value itself where the params do not tell them apart."""
        return self.spend or self.value

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
        spec.identity,
    )


def load_params(file: Path, overrides: dict[str, Any] | None = None) -> Params:
    """Read and validate a params file; `overrides` maps dotted keys (`simulate.members`) to values.

    Raises ParamsError with one sentence per wrong place.
    """
    raw = read_yaml(file)
    for key, value in (overrides or {}).items():
        _override(raw, key, value, str(file))
    return validate(Params, raw, str(file))


def read_yaml(file: Path) -> dict[str, Any]:
    """A YAML file as plain values (dates stay text, for pydantic to judge). Raises ParamsError."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _PlainConstructor
    try:
        raw = yaml.load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(str(file), [Problem("the file", "not readable", error.strerror or "a file")]) from None
    except UnicodeDecodeError:
        raise ParamsError(str(file), [Problem("the file", "not text", "YAML in UTF-8")]) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "the file"
        reason = (getattr(error, "problem", None) or str(error)).split("\n")[0]
        raise ParamsError(str(file), [Problem(place, f"no YAML ({reason})", "YAML")]) from None
    if not isinstance(raw, dict):
        raise ParamsError(str(file), [Problem("the file", type(raw).__name__, "a mapping of keys to values")])
    return raw


class _PlainConstructor(SafeConstructor):
    pass


_PlainConstructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def parse_value(text: str) -> Any:
    """The value of `--set key=value`, read as YAML (`5` is a number, `[a, b]` a list)."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _PlainConstructor
    return yaml.load(text)


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


def validate(model: type[Spec], raw: Any, file: str) -> Spec:
    """Raw values as a spec. Raises ParamsError, which names each wrong place, its value and what is allowed."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ParamsError(file, [_problem(model, detail) for detail in error.errors()]) from None


def _problem(model: type[BaseModel], detail: Any) -> Problem:
    # "[key]" and the <tags> of unions are pydantic's way of speaking, not places in the file
    loc = tuple(part for part in detail["loc"] if not re.match(r"\[|<|function-", str(part)))
    path = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, loc)))
    message = re.sub(r"^(Value error, |Input should be )", "", detail["msg"])
    if detail["type"] == "extra_forbidden":
        keys = sorted(_keys_at(model, loc[:-1]))
        close = difflib.get_close_matches(str(loc[-1]), keys, n=1)
        return Problem(path, "not a key", f"did you mean {close[0]}?" if close else ", ".join(keys))
    if detail["type"] == "missing":
        return Problem(path, "missing", "it must be given")
    if not loc or (detail["type"] == "value_error" and isinstance(detail["input"], dict)):
        place, _, allowed = message.partition("; allowed: ")
        if allowed:
            name, _, value = place.partition(" is ")
            return Problem(f"{path}.{name}" if path else name, value, allowed)
        return Problem(path or "the file", "incomplete", message)
    return Problem(path, repr(detail["input"]), message)


def _keys_at(model: Any, loc: tuple[Any, ...]) -> list[str]:
    """The keys that the model knows at a place, by walking its annotations."""
    places = [model]
    for part in loc:
        places = [inner for place in places for inner in _below(place, part)]
    return [field.alias or name for place in places for name, field in _fields(place).items()]


def _below(place: Any, part: Any) -> list[Any]:
    """What stands below a key of a model, or in the items of a list or mapping; a union gives each of its own."""
    if _fields(place):
        found = [f.annotation for name, f in _fields(place).items() if part in (name, f.alias)]
    else:
        found = list(typing.get_args(place)[-1:])
    return [alternative for annotation in found for alternative in _alternatives(annotation)]


def _alternatives(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _alternatives(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [a for inner in typing.get_args(annotation) for a in _alternatives(inner)]
    return [annotation]


def _fields(place: Any) -> dict[str, Any]:
    return getattr(place, "model_fields", {})
