"""A table is a file: sql/<schema>/<table>.sql. Its header says what a row is, how it is kept fresh, what must hold."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, cast

from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.tables import SCHEMAS as SCHEMAS
from clv_helpers.engines.dialect import bind, mentions, parse, syntax_error
from clv_helpers.errors import UserError

SQL_FOLDER = Path(__file__).resolve().parent.parent / "sql"
HEADERS = ("One row", "Key", "Refresh", "Relation", "Check", "Snapshot", "Attribute of")
GENERATED = SQL_FOLDER / "generated"  # where tables that are made from the params would have their files
DAILY = "_daily"


class TableError(UserError):
    """A table that cannot be built, or that fails its check (`table`). The tables before the build stay."""

    def __init__(self, message: str, table: str = ""):
        self.table = table
        super().__init__(message)


@dataclass(frozen=True)
class Relation:
    """Each value of a column has its row in another table, by that table's column."""

    table: str
    column: str
    to_table: str
    to_column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} -> {self.to_table}.{self.to_column}"


@dataclass(frozen=True)
class Table:
    """One file of sql/: its name, what one row is, the columns of its key, its query, and how it is kept fresh.

    `Refresh: full` (where the header says nothing) builds it anew when one of its inputs changed; `view` makes a
    view. `by <columns>` rebuilds only the parts, named by these columns of the key, to which changed rows belong:
    each output row must come from input rows of its own part alone. A part's columns are those of the input, or of
    the CTE named after `through`.
    `Relation: [schema.table.]column -> [schema.table.]column` says where a value must have its row; `Check:` is a
    condition that must hold. `Snapshot: daily` keeps its rows of each as_of in <table>_daily. `Attribute of: customer`,
    in an analyst's own file, adds its columns to the profile.
    """

    name: str
    one_row: str
    key: tuple[str, ...]
    query: exp.Query
    refresh: str = "full"
    part: tuple[str, ...] = ()
    through: str = ""
    relations: tuple[Relation, ...] = ()
    checks: tuple[exp.Expr, ...] = ()
    snapshot: bool = False
    file: Path = Path()
    is_attribute: bool = False

    @functools.cached_property
    def depends_on(self) -> set[str]:
        """The tables that the query reads, its own CTEs left out."""
        return {name for name, _ in self.mentions}

    @functools.cached_property
    def mentions(self) -> list[tuple[str, exp.Table]]:
        """Each place of the query where a table is read, with the table's name."""
        return mentions(self.query)

    @property
    def schema(self) -> str:
        """The part of the name before the dot."""
        return self.name.split(".")[0]

    @property
    def of_people(self) -> bool:
        """Whether it is kept fresh by parts that are a customer's or a message's, and so costs little to follow."""
        return bool({"customer_id", "message_id"} & set(self.part))

    @property
    def is_ours(self) -> bool:
        """Whether the file stands in sql/, not among an analyst's own."""
        return self.file.is_relative_to(SQL_FOLDER)

    @property
    def is_generated(self) -> bool:
        """Whether it is made from the params, and has no file."""
        return self.file.parent == GENERATED

    def bound(self, bindings: dict[str, Any]) -> exp.Query:
        """The query with a value for each `$name`."""
        return cast(exp.Query, self.with_values(self.query, bindings))

    def with_values(self, part: exp.Expr, bindings: dict[str, Any]) -> exp.Expression:
        """A part of the file with a value for each `$name`. Raises TableError for a name that has none."""
        try:
            return bind(part, bindings)
        except KeyError as error:
            known = ", ".join(sorted(f"${name}" for name in bindings))
            line = self.line_of(error.args[0])
            raise TableError(f"{self.file.name}, line {line}: there is no ${error.args[0]}; allowed: {known}") from None

    @property
    def makes(self) -> tuple[str, ...]:
        """The tables that stand there when this one is built: itself, and its days where it keeps them."""
        return (self.name, self.name + DAILY) if self.snapshot else (self.name,)

    @property
    def groups_by_key(self) -> bool:
        """Whether the query groups by the very columns of the key, so that no key can come twice."""
        group = self.query.args.get("group") if isinstance(self.query, exp.Select) else None
        columns = {part.name: part for part in self.query.selects} if group else {}
        grouped = {part.name for part in group.expressions if isinstance(part, exp.Column)} if group else set()
        return grouped == set(self.key) and all(isinstance(columns.get(name), exp.Column) for name in self.key)

    def line_of(self, word: str) -> int:
        """The first line of the file, after the comments, that holds a word; 1 where none does."""
        lines = [] if self.is_generated else self.file.read_text(encoding="utf-8").splitlines()
        holding = [
            n for n, line in enumerate(lines, 1) if not line.startswith("--") and re.search(rf"\b{word}\b", line)
        ]
        return holding[0] if holding else 1


def read_table(file: Path, schema: str = "") -> Table:
    """Read one table file; its schema is its folder's name. Raises TableError where its header or its SQL is wrong."""
    return _read_table(file, schema or file.parent.name, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=300)
def _read_table(file: Path, schema: str, _: int) -> Table:
    text = file.read_text(encoding="utf-8")
    header = read_header(text, "--")
    if "One row" not in header or "Key" not in header:
        raise TableError(f"{file.name}: the header needs the lines '-- One row: …' and '-- Key: …'")
    try:
        query = parse(text)
    except ParseError as error:
        raise TableError(f"{file.name}, {syntax_error(error)}") from None
    if not isinstance(query, exp.Query):
        raise TableError(f"{file.name}: it must be a single SELECT, whose rows are the table's")
    return make_table(file, schema, header, query)


def read_header(text: str, mark: str) -> dict[str, list[str]]:
    """The header's lines by their name; a name may come several times, and a line go on in one that is indented."""
    header: dict[str, list[str]] = {}
    for name, value in re.findall(rf"^{mark} ({'|'.join(HEADERS)}): (.+(?:\n{mark}   .+)*)$", text, flags=re.MULTILINE):
        header.setdefault(name, []).append(" ".join(value.replace(f"\n{mark}", " ").split()))
    return header


def make_table(file: Path, schema: str, header: dict[str, list[str]], query: exp.Query) -> Table:
    """The table of a file whose header and query are read. Raises TableError for a header line that is none."""
    name = f"{schema}.{file.stem}"
    key = tuple(re.split(r",\s*", header["Key"][0]))
    way, part, through = _refresh_line(file, header.get("Refresh", ["full"])[0], key, query)
    columns = query.named_selects
    if "*" not in columns and not set(key) <= set(columns):
        raise _refused(file, "Key", header["Key"][0], f"columns of it: {', '.join(columns)}")
    snapshot = header.get("Snapshot", [""])[0]
    if snapshot not in ("", "daily"):
        raise _refused(file, "Snapshot", snapshot, "daily")
    if snapshot and PRIMARY_IDENTITY in key:
        raise TableError(f"{file.name}: Snapshot is daily; allowed: of tables of groups, not of customers")
    attribute_of = header.get("Attribute of", [""])[0]
    if attribute_of not in ("", "customer"):
        raise _refused(file, "Attribute of", attribute_of, "customer")
    if attribute_of and key != (PRIMARY_IDENTITY,):
        raise _refused(file, "Key", header["Key"][0], "customer_id, where it is Attribute of: customer")
    relations = tuple(_relation(file, name, line) for line in header.get("Relation", []))
    checks = tuple(_check(file, line) for line in header.get("Check", []))
    one_row = header["One row"][0]
    is_attribute = bool(attribute_of)
    return Table(name, one_row, key, query, way, part, through, relations, checks, bool(snapshot), file, is_attribute)


def generated_table(name: str, one_row: str, key: str, query: exp.Query, refresh: str = "full") -> Table:
    """A table without a file, with what the header of one would say.

    Example:
        >>> from clv_helpers.engines.dialect import parse
        >>> generated_table("derived.one", "a number.", "n", parse("SELECT 1 AS n")).is_generated
        True
    """
    schema, _, stem = name.partition(".")
    header = {"One row": [one_row], "Key": [key], "Refresh": [refresh]}
    return make_table(GENERATED / f"{stem}.sql", schema, header, query)


def _refresh_line(file: Path, text: str, key: tuple[str, ...], query: exp.Query) -> tuple[str, tuple[str, ...], str]:
    """The header's Refresh line: the way, the columns of a part, and the CTE through which rows get them."""
    words = re.fullmatch(r"(full|view)|by ([\w, ]+?)(?: through (\w+))?", text)
    part = tuple(re.split(r",\s*", words[2])) if words and words[2] else ()
    through = (words[3] or "") if words else ""
    if not words or not set(part) <= set(key) or (through and through not in {cte.alias for cte in query.ctes}):
        raise _refused(file, "Refresh", text, "full, view, or: by columns of the key, and through a CTE")
    return words[1] or "by", part, through


def _relation(file: Path, name: str, text: str) -> Relation:
    sides = re.fullmatch(r"(?:(\w+\.\w+)\.)?(\w+) -> (?:(\w+\.\w+)\.)?(\w+)", text)
    if not sides or (sides[1] or name) == (sides[3] or name):
        allowed = "column -> schema.table.column, or schema.table.column -> column"
        raise _refused(file, "Relation", text, allowed)
    return Relation(sides[1] or name, sides[2], sides[3] or name, sides[4])


def _check(file: Path, text: str) -> exp.Expr:
    with contextlib.suppress(ParseError):
        query = parse(f"SELECT {text}")
        if isinstance(query, exp.Select):
            return query.selects[0].unalias()
    raise _refused(file, "Check", text, "a condition in SQL")


def _refused(file: Path, line: str, value: str, allowed: str) -> TableError:
    return TableError(f"{file.name}: {line} is {value!r}; allowed: {allowed}")


def read_tables(*schemas: str) -> list[Table]:
    """The tables of these schemas in the order in which they can be built. Raises TableError on a circle."""
    return in_order(read_schemas(schemas))


def read_schemas(schemas: Iterable[str]) -> list[Table]:
    """The tables of these schemas as their files come."""
    return [
        read_table(file) for schema in dict.fromkeys(schemas) for file in sorted((SQL_FOLDER / schema).glob("*.sql"))
    ]


def in_order(tables: Iterable[Table]) -> list[Table]:
    """Tables, each after those that it reads. Raises TableError for two of one name, or a circle."""
    makers: dict[str, Table] = {}
    for model in tables:
        for name in model.makes:
            if name in makers:
                files = " and ".join("/".join(maker.file.parts[-2:]) for maker in (makers[name], model))
                raise TableError(f"two tables are named {name}: {files}; allowed: one; rename your own")
            makers[name] = model
    by_name = {model.name: model for model in makers.values()}
    needs = {
        model.name: sorted({makers[n].name for n in model.depends_on & makers.keys()}) for model in by_name.values()
    }
    try:
        return [by_name[name] for name in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        raise TableError(f"these tables need each other in a circle: {' → '.join(error.args[1])}") from None
