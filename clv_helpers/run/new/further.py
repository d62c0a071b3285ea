"""Files beside the purchases that are none: events or a lookup where that is plain, else left alone, with a note."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from clv_helpers.config.datasets import DATASETS, OWN_EVENTS
from clv_helpers.run.new import words
from clv_helpers.run.new.guess import Finder, Reading
from clv_helpers.run.new.sample import Sample

KEY = "product_id"  # by which a lookup is known: purchases have one column that names things
MOST = 30  # columns of one's own


@dataclass(frozen=True)
class Further:
    """A source of one's own as the params will have it, under its name, and what is said of it."""

    name: str
    keys: dict[str, Any]
    note: str


def proposed(sample: Sample, purchases: Reading, others: list[str]) -> Further | str:
    """What a file is that holds no known dataset, or why it is left; `others` are names that are taken.

    Events have a customer and a moment by their headers. A lookup has the header by which the purchases name their
    products, and another value of it in each row.
    """
    finder, file = Finder(sample), sample.files[0].name
    name = _name(sample.files[0].stem, others)
    found = finder.headers("purchases")
    if {"customer_id", "occurred_at"} <= found.keys():
        columns = {role: found[role] for role in ("customer_id", "occurred_at")}
        if event := next((header for header in sample.headers if _is_event_id(sample, header)), ""):
            columns = {"event_id": event, **columns}
        reading = Reading(name, columns, dates=finder.settled(finder.dates(found["occurred_at"])))
        keys = {"is": "events", **_form(sample, reading), "columns": columns | _own(finder, columns)}
        return Further(name, keys, f"{file}: {sample.rows:,} rows, taken for events: sources.{name}")
    header = purchases.headers.get(KEY, "")
    if header in sample.headers and sample.counts[header] == (sample.rows, sample.rows) and len(sample.headers) > 1:
        columns = {KEY: header}
        keys = {"is": "lookup", **_form(sample), "key": KEY, "columns": columns | _own(finder, columns)}
        return Further(name, keys, f"{file}: {sample.rows:,} rows, taken for a lookup by {header}: sources.{name}")
    return (
        f"{file} is left: neither purchases, customers nor e-mail events are recognised in it; where it is of use, "
        "name it under sources with is: events, or is: lookup and its key"
    )


def _name(stem: str, others: list[str]) -> str:
    """A name of the params' kind, made of a file's."""
    plain = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:30]
    plain = plain if re.match(r"[a-z]", plain) else f"data_{plain}".rstrip("_")
    names = (plain, *(f"{plain}_{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in (*DATASETS, *others))


def _is_event_id(sample: Sample, header: str) -> bool:
    return bool(re.fullmatch(r"(\w+ )?(id|uuid)", words.plain(header))) and sample.counts[header] == (
        sample.rows,
        sample.rows,
    )


def _own(finder: Finder, taken: dict[str, str]) -> dict[str, Any]:
    """The other headers as columns of one's own: numbers where all of their values are, texts else."""
    columns: dict[str, Any] = {}
    for header in finder.sample.headers:
        name = "_".join(re.findall(r"[a-z0-9]+", words.plain(header)))
        known = {*taken, *columns, *OWN_EVENTS}
        if header in taken.values() or not re.match(r"[a-z]", name) or name in known or len(columns) == MOST:
            continue
        columns[name] = {"from": header, "type": "number" if _is_number(finder, header) else "text"}
    return columns


def _is_number(finder: Finder, header: str) -> bool:
    """Whether all sampled values are plain numbers; 007 is a name."""
    texts = finder.sample.texts(header)
    return bool(texts) and all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", text) for text in texts)


def _form(sample: Sample, reading: Reading | None = None) -> dict[str, Any]:
    form: dict[str, Any] = dict(sample.csv)
    if reading and reading.dates.formats:
        form["dates"] = reading.dates.formats[0] if len(reading.dates.formats) == 1 else list(reading.dates.formats)
    return {"csv": form} if form else {}
