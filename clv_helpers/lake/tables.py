"""A table is a file: sql/<schema>/<table>.sql. Its header says what a row is, and how the table is kept fresh."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.engines.dialect import column, literal, parse
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError

SQL_FOLDER = Path(__file__).resolve().parent.parent / "sql"


class TableError(UserError):
    """A table that cannot be built, or that fails its check. The tables before the build stay."""


@dataclass(frozen=True)
class Table:
    """One file of sql/: its name, what one row is, the columns of its key, its query, and how it is kept fresh.

    `Refresh: full` (where the header says nothing) builds it anew when one of its inputs changed; `view` makes a
    view. `by <columns>` folds anew only the parts, named by these columns of the key, to which changed rows belong:
    each output row must come from input rows of its own part alone. A part's columns are those of the input, or of
    the CTE named after `through`.
    """

    name: str
    one_row: str
    key: tuple[str, ...]
    query: exp.Expression
    refresh: str = "full"
    part: tuple[str, ...] = ()
    through: str = ""

    @property
    def depends_on(self) -> set[str]:
        """The tables that the query reads, its own CTEs left out."""
        ctes = {cte.alias for cte in self.query.find_all(exp.CTE)}
        found = self.query.find_all(exp.Table)
        return {f"{t.db}.{t.name}" for t in found if t.db or t.name not in ctes}

    @property
    def groups_by_key(self) -> bool:
        """Whether the query groups by the very columns of the key, so that no key can come twice."""
        group = self.query.args.get("group") if isinstance(self.query, exp.Select) else None
        columns = {each.name: each for each in self.query.selects} if group else {}
        grouped = {each.name for each in group.expressions if isinstance(each, exp.Column)} if group else set()
        return grouped == set(self.key) and all(isinstance(columns.get(name), exp.Column) for name in self.key)


def read_table(file: Path) -> Table:
    """Read one table file. Raises TableError where its header or its SQL is wrong."""
    return _read_table(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=200)
def _read_table(file: Path, _: int) -> Table:
    text = file.read_text(encoding="utf-8")
    name = f"{file.parent.name}.{file.stem}"
    header = dict(re.findall(r"^-- (One row|Key|Refresh): (.+)$", text, flags=re.MULTILINE))
    if not {"One row", "Key"} <= set(header):
        raise TableError(f"{file.name}: the header needs the lines '-- One row: …' and '-- Key: …'")
    try:
        query = parse(text)
    except ParseError as error:
        detail = error.errors[0]
        raise TableError(f"{file.name}, line {detail['line']}: {detail['description']}") from None
    key = tuple(re.split(r",\s*", header["Key"]))
    return Table(name, header["One row"], key, query, *_refresh_line(file, header.get("Refresh", "full"), key, query))


def _refresh_line(
    file: Path, text: str, key: tuple[str, ...], query: exp.Expression
) -> tuple[str, tuple[str, ...], str]:
    """The header's Refresh line: the way, the columns of a part, and the CTE through which rows get them."""
    found = re.fullmatch(r"(full|view)|by ([\w, ]+?)(?: through (\w+))?", text)
    part = tuple(re.split(r",\s*", found[2])) if found and found[2] else ()
    through = (found[3] or "") if found else ""
    if not found or not set(part) <= set(key) or (through and through not in {cte.alias for cte in query.ctes}):
        allowed = "full, view, or: by columns of the key, and through a CTE"
        raise TableError(f"{file.name}: Refresh is {text!r}; allowed: {allowed}")
    return found[1] or "by", part, through


def read_tables(*schemas: str) -> list[Table]:
    """The tables of these schemas in the order in which they can be built. Raises TableError on a cycle."""
    files = sorted(file for schema in schemas for file in (SQL_FOLDER / schema).glob("*.sql"))
    tables = {t.name: t for t in map(read_table, files)}
    sorter = TopologicalSorter({name: sorted(t.depends_on & tables.keys()) for name, t in tables.items()})
    try:
        return [tables[name] for name in sorter.static_order()]
    except CycleError as error:
        raise TableError(f"these tables need each other in a circle: {' → '.join(error.args[1])}") from None


def check_key(session: Session, each: Table, source: exp.Expression) -> None:
    """Raise TableError where rows of the table share a key or lack it.

    Cost: one pass over the key columns, and a grouping by a hash of them unless the query itself ends by grouping so.
    """
    keys = [column(name) for name in each.key]
    repeated = 0
    if not each.groups_by_key and _repeats(session, source, [exp.func("HASH", *keys)]):
        repeated = _repeats(session, source, keys)  # hashes of different keys may be the same
    empty = exp.or_(*(exp.Is(this=key, expression=exp.null()) for key in keys))
    nulls = session.count(exp.select("*").from_(source.copy()).where(empty).subquery("empty"))
    if repeated or nulls:
        key = ", ".join(each.key)
        raise TableError(f"{each.name}: its key ({key}) repeats {repeated:,} times and is empty {nulls:,} times")


def _repeats(session: Session, source: exp.Expression, keys: list[exp.Expression]) -> int:
    """How many keys more than one row has."""
    ones = exp.select(literal(1).as_("one")).from_(source.copy()).group_by(*keys).having("COUNT(*) > 1")
    return session.count(ones.subquery("r"))
