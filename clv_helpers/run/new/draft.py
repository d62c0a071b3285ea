"""A workbook being made: the raw values of its params, which readings of files give and answers change."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clv_helpers.config import recipes
from clv_helpers.config.datasets import DATASETS
from clv_helpers.run.new import further, guess, values, words
from clv_helpers.run.new.elsewhere import Origin
from clv_helpers.run.new.further import Further
from clv_helpers.run.new.guess import Reading
from clv_helpers.run.new.sample import NewWorkbookError, Sample

# Of ours what a source maps, in the order of writing; a price serves the amount alone.
MAPPED = {
    "purchases": (
        "customer_id", "email", "occurred_at", "order_id", "amount", "currency", "refunded", "refund_of", "status",
        "tax", "shipping", "discount", "product_id", "product", "quantity",
    ),
    "customers": guess.KINDS["customers"],
    "email_events": guess.KINDS["email_events"],
}  # fmt: skip


@dataclass
class Draft:
    """The params of a workbook as plain values, the folder they are relative to, and what each file was taken for."""

    folder: Path
    raw: dict[str, Any]
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    others: list[Sample] = field(default_factory=list)
    """files that hold none of the known datasets"""
    beside: list[str] = field(default_factory=list)
    """what became of those, a sentence each"""
    origin: Origin | None = None
    """where the files were copied from, if they are not of this machine"""
    database: dict[str, Any] | None = None
    """where the rows were fetched from, if that is a database: the key `from`"""

    @property
    def purchases(self) -> dict[str, Any]:
        return self.raw["sources"]["purchases"]

    @property
    def notes(self) -> list[str]:
        """What a person is to know of the files: what of them is not read, and what is not as it seems."""
        sampled = [note for samples in self.samples.values() for sample in samples for note in sample.notes]
        return (
            self.beside
            + sampled
            + [note for readings in self.readings.values() for reading in readings for note in reading.notes]
        )

    def set(self, place: str, value: Any) -> None:
        """Put a value at a dotted place; None takes out what is there."""
        *parents, last = place.split(".")
        at = self.raw
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is None:
            at.pop(last, None)
        else:
            at[last] = value

    def words(self) -> tuple[str, str]:
        """What purchases and customers are called, in the plural."""
        words = self.raw.get("words", {})
        return f"{words.get('purchase', 'purchase')}s", f"{words.get('customer', 'customer')}s"

    def kind(self, dataset: str) -> str:
        """What the files of a dataset are taken for, in words."""
        first = self.readings[dataset][0]
        if first.preset:
            return recipes.recipe(first.preset).title
        if dataset == "purchases":
            return "order lines" if first.lines else "orders" if "order_id" in first.headers else "purchases"
        return dataset.replace("_", " ").replace("email", "mail")

    def taken_for(self, dataset: str) -> dict[str, str]:
        """Each header of a dataset's files, and what of ours is read from it; nothing where the params read nothing."""
        columns = _recipe(self.readings[dataset][0]).get("columns", {}) | self.raw["sources"][dataset].get(
            "columns", {}
        )
        found = {header: "" for sample in self.samples[dataset] for header in sample.headers}
        for name, spec in columns.items():
            for header in _read_from(spec, found):
                found[header] = ", ".join(filter(None, [found.get(header, ""), name]))
        return found

    def examples(self, dataset: str, header: str, most: int = 3) -> list[str]:
        """A few different values that stand below a header."""
        held = next(sample for sample in self.samples[dataset] if header in sample.headers)
        return list(dict.fromkeys(held.texts(header)))[:most]

    def at_origin(self) -> Draft:
        """A copy whose paths are addresses, where the files were copied."""
        if not self.origin:
            return self
        paths = {f"sources.{name}.path": (self.folder / each["path"]).resolve() for name, each in self._sources()}
        return self.with_changes({place: self.origin.written(path) for place, path in paths.items()})

    def _sources(self) -> Iterable[tuple[str, dict[str, Any]]]:
        sources: dict[str, dict[str, Any]] = self.raw["sources"]
        return sources.items()

    def with_changes(self, changes: dict[str, Any]) -> Draft:
        """A copy in which values at dotted places are others; None takes out what is there."""
        other = replace(self, raw=copy.deepcopy(self.raw))
        for place, value in changes.items():
            other.set(place, value)
        return other


def _read_from(spec: Any, headers: Iterable[str]) -> list[str]:
    """The headers that a column is read from, or calculated of."""
    if isinstance(spec, dict) and "sql" in spec:
        return [header for header in headers if re.search(rf"(?<!\w){re.escape(header)}(?!\w)", spec["sql"])]
    given = spec["from"] if isinstance(spec, dict) else spec
    return [given] if isinstance(given, str) else list(given)


def empty(file: Path) -> Draft:
    """The params of a workbook whose data are not there yet, to be filled in."""
    columns = {name: name for name in ("customer_id", "occurred_at", "amount")}
    source = {"path": f"{file.stem}.csv", "columns": columns}
    return Draft(file.parent, {**_head(file), "sources": {"purchases": source}, "value": _value("USD"), **_tail()})


def draft(file: Path, source: Path, samples: list[Sample]) -> Draft:
    """The draft of a workbook from samples, each taken for what it looks like.

    Raises NewWorkbookError where they hold no purchases, or files of one kind do not go together.
    """
    read: list[tuple[Sample, Reading]] = []
    unknown: list[tuple[Sample, NewWorkbookError]] = []
    for sample in samples:
        try:
            read.append((sample, guess.read(sample)))
        except NewWorkbookError as error:
            unknown.append((sample, error))
    if unknown and not any(reading.dataset == "purchases" for _, reading in read):
        raise unknown[0][1]
    return _assembled(file, source, read, [sample for sample, _ in unknown])


def corrected(file: Path, source: Path, made: Draft, roles: dict[tuple[str, str], str]) -> Draft:
    """The draft in which headers are what a person says: by dataset and header our name, or none.

    Raises NewWorkbookError where a column that is needed is not chosen.
    """
    read = []
    for dataset, samples in made.samples.items():
        for sample, before in zip(samples, made.readings[dataset], strict=True):
            headers = {role: h for h in sample.headers if (role := roles.get((dataset, h), ""))}
            read.append((sample, before if before.preset else guess.chosen(sample, dataset, headers)))
    source = made.origin.source if made.origin else source
    return replace(_assembled(file, source, read, made.others), origin=made.origin)


def _assembled(file: Path, source: Path, read: list[tuple[Sample, Reading]], others: list[Sample]) -> Draft:
    made = Draft(file.parent, {**_head(file), "sources": {}}, others=others)
    everything = [*(sample for sample, _ in read), *others]
    for sample, reading in read:
        made.samples.setdefault(reading.dataset, []).append(sample)
        made.readings.setdefault(reading.dataset, []).append(reading)
    if "purchases" not in made.readings:
        held = " and ".join(name.replace("_", " ") for name in made.readings)
        raise NewWorkbookError(f"{source} holds {held}, and no purchases; allowed: a file or a folder with purchases")
    for dataset in sorted(made.readings, key=list(DATASETS).index):
        path = _path(source, made.samples[dataset], everything, made.folder)
        made.raw["sources"][dataset] = _source(dataset, path, made.samples[dataset], made.readings[dataset])
    _take_readings(made)
    for sample in others:
        found = further.proposed(sample, made.readings["purchases"][0], list(made.raw["sources"]))
        if isinstance(found, Further):
            path = _path(source, [sample], everything, made.folder)
            namespace = {key: each for key, each in made.purchases.items() if key == "namespace"}
            made.raw["sources"][found.name] = {"path": path, **namespace, **found.keys}
        made.beside.append(found.note if isinstance(found, Further) else found)
    return made


def _head(file: Path) -> dict[str, Any]:
    return {"title": file.stem.replace("_", " ").capitalize()}


def _value(unit: str) -> dict[str, Any]:
    return {"column": "amount", "unit": unit}


def _tail() -> dict[str, Any]:
    return {"lifetime": {"horizon_months": 12, "margin": 1.0}}


def _take_readings(made: Draft) -> None:
    """What the purchases say of the whole workbook: the unit, the category, the words."""
    reading, sample = made.readings["purchases"][0], made.samples["purchases"][0]
    made.raw["value"] = _value(reading.unit)
    if reading.category:
        made.raw["category"] = category_name(reading)
    made.raw["words"] = _words(reading)
    made.raw |= _tail()
    if reading.preset:
        return
    blank = sample.rows - sample.counts[reading.headers["customer_id"]][0]
    if blank:
        apart = reading.headers.get("email", reading.headers["customer_id"]) != reading.headers["customer_id"]
        made.purchases["guests"] = "join by email" if apart else "leave out"
    if reading.headers["customer_id"] == reading.headers.get("email"):
        made.purchases["namespace"] = "Email"
    statuses = _statuses(sample, reading)
    if statuses:
        made.purchases["statuses"] = statuses


def _statuses(sample: Sample, reading: Reading) -> dict[str, list[str]]:
    """Which values of the status say that a row was paid back, or is no purchase."""
    values = sample.frequent(reading.headers["status"]) if "status" in reading.headers else {}
    kinds = {"refunded": words.REFUNDED, "left_out": words.LEFT_OUT}
    found = {kind: [v for v in values if form.fullmatch(words.plain(v))] for kind, form in kinds.items()}
    return {kind: listed for kind, listed in found.items() if listed}


def _words(reading: Reading) -> dict[str, str]:
    """What the headers call customer, purchase and value."""
    who, headers = (
        words.plain(reading.headers.get("customer_id", "")),
        " ".join(map(words.plain, reading.headers.values())),
    )
    customer = next((word for word in words.CUSTOMER_WORDS if re.search(rf"\b{word}", who)), "customer")
    purchase = next((word for word in words.PURCHASE_WORDS if re.search(rf"\b{word}", headers)), "")
    purchase = purchase or ("order" if "order_id" in reading.headers else "purchase")
    return {"customer": customer, "purchase": purchase, "value": _value_word(reading)}


def _value_word(reading: Reading) -> str:
    return reading.unit if reading.unit in ("miles", "points") else "revenue"


def category_name(reading: Reading) -> str:
    """What the category is called: as its header is, where that is no name of ours already."""
    name = "_".join(words.plain(reading.category).split())
    return name if re.fullmatch(r"[a-z]\w*", name) and name not in DATASETS["purchases"] else "category"


def _source(dataset: str, path: str, samples: list[Sample], readings: list[Reading]) -> dict[str, Any]:
    """The keys of a source. Raises NewWorkbookError where files of one kind differ in more than their headers."""
    forms = [(_form(sample, reading), reading.preset) for sample, reading in zip(samples, readings, strict=True)]
    if any(form != forms[0] for form in forms):
        named = ", ".join(str(sample.files[0]) for sample in samples)
        raise NewWorkbookError(f"{named} are written in different ways ({forms}); allowed: files written alike")
    (form, preset), columns = forms[0], _columns(dataset, readings)
    others: dict[str, str] = {}
    if not preset:
        columns |= values.translated(samples[0], readings[0])
        others = values.other_events(samples[0], readings[0])
    given = {"path": path, "preset": preset, "csv": form, "columns": columns, "leave_out": others}
    return {key: value for key, value in given.items() if value}


def _recipe(reading: Reading) -> dict[str, Any]:
    """The keys of a source that a file's recipe gives; none without one."""
    return recipes.recipe(reading.preset).source if reading.preset else {}


def _form(sample: Sample, reading: Reading) -> dict[str, Any]:
    form: dict[str, Any] = dict(sample.csv)
    if reading.preset:
        return form
    if reading.decimal != "." or any("," in text for text in _numbers(sample, reading)):
        form["decimal"] = reading.decimal
    if reading.dates.formats:
        form["dates"] = reading.dates.formats[0] if len(reading.dates.formats) == 1 else list(reading.dates.formats)
    return form


def _numbers(sample: Sample, reading: Reading) -> list[str]:
    headers = [reading.headers[role] for role in ("amount", "price", *guess.MONEY) if role in reading.headers]
    return [text for header in headers for text in sample.texts(header)]


def _columns(dataset: str, readings: list[Reading]) -> dict[str, Any]:
    """Our name → header, or headers where the files differ, or the expression of an amount.

    Of what an expression reads, it names the first; a column of its own has the others.
    """
    columns: dict[str, Any] = {}
    for name in () if readings[0].preset else MAPPED[dataset]:
        found = list(dict.fromkeys(reading.headers[name] for reading in readings if name in reading.headers))
        if name == "amount" and readings[0].amount_sql:
            columns[name] = {"sql": readings[0].amount_sql}
            prices = list(dict.fromkeys(reading.headers["price"] for reading in readings))
            if len(prices) > 1:
                columns["unit_price"] = {"from": prices, "type": "decimal"}
        elif found:
            columns[name] = found[0] if len(found) == 1 else found
    category = readings[0].category
    if dataset == "purchases" and category:
        columns[category_name(readings[0])] = (
            category if category_name(readings[0]) == "category" else {"from": category, "type": "text"}
        )
    return columns


def _path(source: Path, chosen: list[Sample], samples: list[Sample], folder: Path) -> str:
    """The path of a dataset: what was asked for where all of it is of one kind, else what names these files alone."""
    files = [file for sample in chosen for file in sample.files]
    if len(chosen) == len(samples):
        return _relative(source, folder)
    if len(files) == 1:
        return _relative(files[0], folder)
    stem = os.path.commonprefix([file.name for file in files])  # noqa: RUF071 (names, not paths)
    others = [file.name for sample in samples if sample not in chosen for file in sample.files]
    if not stem or any(name.startswith(stem) for name in others):
        named = ", ".join(file.name for file in files)
        raise NewWorkbookError(
            f"{source} holds files of several kinds; allowed: those of one kind ({named}) in a folder"
        )
    return _relative(files[0].parent / f"{stem}*", folder)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return path.resolve().as_posix()
