"""All that is held on a person, as JSON and as a page to read: by table, with where each row came from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from sqlglot import exp

from clv_helpers.config.tables import SCHEMAS
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session
from clv_helpers.files import write_atomically
from clv_helpers.models import all_tables, table_catalog
from clv_helpers.run.person import Person, find, handed_over, rows_of
from clv_helpers.run.person_files import FoundFile, search

PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What {{ held.workbook }} holds on {{ held.person.customer_id }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid #bbb; padding: .2rem .5rem; text-align: left; vertical-align: top; }
p.from { color: #555; margin: 0 0 .4rem; }
</style>
<h1>What {{ held.workbook }} holds on {{ held.person.customer_id }}</h1>
<ul>{% if held.person.also %}<li>joined from: {{ held.person.also | join(", ") }}</li>{% endif %}
{% for name, values in held.person.identities.items() %}<li>{{ name }}: {{ values | join(", ") }}</li>{% endfor %}
{% if held.person.shared %}<li>{{ held.person.shared }} further identities are other people's as well</li>{% endif %}
</ul>
{% for part in held.tables %}
<h2>{{ part.table }}</h2>
<p class="from">One row is {{ part.one_row }} From: {{ part.made_from | join(", ") }}.</p>
<table><tr>{% for name in part.rows[0] %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in part.rows %}<tr>
{% for value in row.values() %}<td>{{ "" if value is none else value }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endfor %}
<h2>Handed over</h2>
{% if held.handed_over %}<ul>{% for row in held.handed_over %}
<li>{{ row.destination }}: campaign {{ row.campaign }}, {{ row.status }}, {{ row.settled_at }} UTC</li>{% endfor %}</ul>
{% else %}<p>Nothing, as far as the ledger knows.</p>{% endif %}
<h2>Files</h2>
{% if held.files or held.sources %}<ul>{% for file in held.files + held.sources %}
<li>{{ file.path }}: {{ file.records }} records</li>{% endfor %}</ul>
{% else %}<p>None.</p>{% endif %}
</html>
"""


@dataclass(frozen=True)
class HeldTable:
    """The rows of a person in one table: what a row is, and from which files or tables they come."""

    table: str
    one_row: str
    made_from: list[str]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Held:
    """All that a workbook holds on a person; `sources` are the workbook's own data, `unreadable` was not searched."""

    workbook: str
    person: Person
    tables: list[HeldTable]
    handed_over: list[dict[str, Any]]
    files: list[FoundFile] = field(default_factory=list)
    sources: list[FoundFile] = field(default_factory=list)
    unreadable: list[Path | str] = field(default_factory=list)


def held_on(workbook: Workbook, given: str) -> Held:
    """All rows and files on a person, by customer number, or by an identity that leads to one customer.

    Tables come in the order of the schemas. Raises PersonError for one who is unknown or not the only one. Cost: a
    look through each table and each file.

    Example:
        >>> from clv_helpers.run import person_export
        >>> held = person_export.held_on(wb, "M0000035")
        >>> [part.one_row for part in held.tables if part.table == "lake.customers"]
        ['a row that came in.']
    """
    with workbook.engine.read_latest() as session:
        person = find(session, workbook, given)
        tables = list(_tables(session, workbook, person))
        handed = handed_over(session, person)
    searched = search(workbook, person)
    return Held(workbook.name, person, tables, handed, searched.found, searched.sources, searched.unreadable)


def export(workbook: Workbook, given: str, folder: Path | None = None) -> tuple[Held, list[Path]]:
    """Write `held_on` as JSON and as a page that only the owner may read; gives it, and the files."""
    held = held_on(workbook, given)
    folder = folder or folder_of(workbook, held.person.customer_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    page = jinja2.Environment(autoescape=True).from_string(PAGE).render(held=held)
    texts = {"person.json": json.dumps(asdict(held), indent=2, default=str, ensure_ascii=False) + "\n"}
    texts["person.html"] = page
    for name, text in texts.items():
        (folder / name).touch(0o600)
        write_atomically(folder / name, text)
        (folder / name).chmod(0o600)
    return held, [folder / name for name in texts]


def folder_of(workbook: Workbook, customer_id: str) -> Path:
    """Where the export of a person goes."""
    name = re.sub(r"[^0-9A-Za-z_-]", "_", customer_id)
    if name != customer_id:
        name += f"-{hashlib.sha256(customer_id.encode()).hexdigest()[:8]}"
    return workbook.folder / "people" / name


def _tables(session: Session, workbook: Workbook, person: Person) -> Iterator[HeldTable]:
    catalog = table_catalog(workbook)
    reads = {
        name: sorted(n for n in model.depends_on if "." in n)
        for model in all_tables(workbook, *SCHEMAS)
        for name in model.makes
    }
    batches = session.rows("SELECT _batch_id, file FROM lake.batches") if session.has_table("lake.batches") else []
    files = {row["_batch_id"]: row["file"] for row in batches}
    schemas = list(SCHEMAS)

    def place(entry: tuple[str, exp.Expression]) -> tuple[int, str]:
        schema = entry[0].split(".")[0]
        return (schemas.index(schema) if schema in schemas else len(schemas), entry[0])

    for name, condition in sorted(rows_of(session, person), key=place):
        rows = session.rows(exp.select("*").from_(table(name)).where(condition))
        if rows:
            numbers = sorted({row["_batch_id"] for row in rows if "_batch_id" in row})
            came = [f"batch {number} ({files.get(number)})" for number in numbers]
            known = catalog.get(name)
            made = came or reads.get(name) or [known.written_by if known else "not known any more"]
            yield HeldTable(name, known.one_row if known else "not known any more.", made, rows)
