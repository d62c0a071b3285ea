"""Rows that no shop has: whatever the door accepts, every table can be made of; what it sets aside is counted."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv_helpers import activation, ingest, models, run
from clv_helpers.config.datasets import DATASETS
from clv_helpers.config.workbook import Workbook
from conftest import often

SOURCES = {
    "purchases": "event_id customer_id occurred_at order_id refund_of category product_id product quantity amount "
    "tax refunded first_name",
    "customers": "customer_id email first_name region joined_on email_consent",
    "email_events": "event_id message_id campaign audience customer_id event_type occurred_at url",
    "assignments": "customer_id campaign arm assigned_at",
    "experiments": "customer_id arm spend_before converted spend",
}
PARAMS = """
title: A shop of odd rows
spend: {column: amount, unit: EUR}
category: category
literal_guide_windows: true
lifetime: {horizon_months: 3}
destinations:
  letters: {type: files, path: "${OUTPUTS}/exports", columns: {customer_id: customer}, require_consent: false}
activations:
  - {audience: best_customers, destination: letters, campaign: spring, control: {share: 0.2}}
sources:
"""
FORMS = ("csv", "json", "parquet")
ODD_TIMES = [
    "0001-01-01", "1753-01-01", "1899-12-31 23:59:59", "1900-01-01", "1970-01-01", "44-03-15 (BC)", "infinity",
    "-infinity", "epoch", "9999-12-31", "294247-01-01", "2024-02-29 24:00:00", "2024-13-01", "2024-05-05T05:05+14:00",
    "", "NaN",
]  # fmt: skip
ODD_NUMBERS = [
    "0", "-0.00", "0.00004", "99999999999999", "90000000000000", "1000000000000", "-1000000000000", "1e12", "1e308",
    "-1e308", "1e-308", "NaN", "inf", "-Infinity", "9223372036854775807", "12.345678", "",
]  # fmt: skip
ODD_TEXTS = ["", " ", "\u200b", "'; DROP TABLE lake.purchases; --", "c1", "NULL", "a" * 3000, "🦆", "$as_of", "guest"]
TYPES = {"timestamp": "TIMESTAMP", "date": "DATE", "decimal": "DOUBLE", "number": "DOUBLE", "boolean": "BOOLEAN"}
PLAIN = {
    "timestamp": [f"2024-{month:02}-{day:02} 10:00:00" for month in range(1, 7) for day in (1, 15)],
    "date": ["2023-01-01", "2024-03-03"],
    "decimal": ["12.50", "7", "-3"],
    "number": ["1", "2.5"],
    "boolean": ["true", "false"],
}
NAMED = {
    "customer_id": [f"c{n}" for n in range(6)],
    "order_id": ["o1", "o2", "o3", ""],
    "category": ["gold", "blue"],
    "product_id": ["p1", "p2"],
    "campaign": ["spring", "autumn"],
    "event_type": ["sent", "delivered", "opened", "clicked", "unsubscribed"],
    "arm": ["treated", "control"],
    "email": ["ada@example.com", "bob@example.com"],
}
Row = dict[str, str]


def kinds(dataset: str) -> dict[str, str]:
    """The columns of a dataset as the files here have them, with their types."""
    return {
        name: DATASETS[dataset][name].type if name in DATASETS[dataset] else "text" for name in SOURCES[dataset].split()
    }


def plain_rows(dataset: str) -> list[Row]:
    """Rows of an ordinary shop, so that the odd ones are not alone."""
    rows = []
    for number in range(24):
        row = {}
        for name, kind in kinds(dataset).items():
            values = NAMED.get(name) or PLAIN.get(kind) or [f"{name} {number}"]
            row[name] = values[(number * 7 + number // len(values)) % len(values)]
        rows.append(row)
    return rows


@st.composite
def odd_rows(draw: st.DrawFn, dataset: str) -> list[Row]:
    """Rows of which some values are odd."""
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        row = dict(draw(st.sampled_from(plain_rows(dataset))))
        for name in draw(st.sets(st.sampled_from(list(row)), min_size=1, max_size=3)):
            row[name] = draw(_odd(kinds(dataset)[name]))
        rows += [row] * draw(st.sampled_from([1, 1, 1, 2, 150]))
    return rows


def _odd(kind: str) -> st.SearchStrategy[str]:
    if kind in ("timestamp", "date"):
        any_time = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)).map(str)
        return st.one_of(st.sampled_from(ODD_TIMES), any_time)
    if kind in ("decimal", "number"):
        some = st.one_of(st.floats().map(repr), st.decimals(-(10**12), 10**12, places=4).map(str))
        return st.one_of(st.sampled_from(ODD_NUMBERS), some)
    if kind == "boolean":
        return st.sampled_from(["", "maybe", "1", "TRUE"])
    return st.one_of(st.sampled_from(ODD_TEXTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))


def write(rows: list[Row], dataset: str, form: str, folder: Path) -> str:
    """A file of these rows; of Parquet the columns have their types, as far as the values allow. Gives its name."""
    listed = folder / f"{dataset}.rows.json"
    numbered = [{**row, **({"event_id": f"e{n}"} if "event_id" in row else {})} for n, row in enumerate(rows)]
    if form == "json":
        file = folder / f"{dataset}.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in numbered), encoding="utf-8")
        return file.name
    listed.write_text(json.dumps(numbered), encoding="utf-8")
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in kinds(dataset))
    read = f"read_json('{listed}', columns = {{{columns}}})"
    file = folder / f"{dataset}.{form}"
    if form == "csv":
        duckdb.execute(f"COPY (SELECT * FROM {read}) TO '{file}' (FORMAT csv, HEADER, FORCE_QUOTE *)")
        return file.name
    typed = ", ".join(
        f"TRY_CAST({name} AS {TYPES[kind]}) AS {name}" if kind in TYPES else name
        for name, kind in kinds(dataset).items()
    )
    duckdb.execute(f"COPY (SELECT {typed} FROM {read}) TO '{file}' (FORMAT parquet)")
    return file.name


def made(folder: Path, odd: dict[str, list[Row]], form: str) -> Workbook:
    """A workbook of ordinary rows with odd ones among them."""
    folder.mkdir()
    params = PARAMS
    for dataset in SOURCES:
        name = write(plain_rows(dataset) + odd.get(dataset, []), dataset, form, folder)
        columns = ", ".join(
            f"{each}: {{from: {each}, type: text}}" if each not in DATASETS[dataset] else f"{each}: {each}"
            for each in kinds(dataset)
        )
        params += f"  {dataset}:\n    path: {name}\n    max_rejected_share: 1.0\n    columns: {{{columns}}}\n"
        params += "    profile_enabled: false\n" if dataset == "experiments" else ""
    (folder / "odd.yml").write_text(params, encoding="utf-8")
    return Workbook.open(folder / "odd.yml")


def taken_whole(workbook: Workbook) -> None:
    """All that comes in goes through every room; and every row read is accepted, rejected or left out."""
    for dataset in SOURCES:
        for batch in ingest.ingest_files(workbook, dataset, workbook.source_files(dataset)):
            said = [batch.rows_accepted, batch.rows_rejected, batch.rows_left_out]
            assert sum(said) == batch.rows_read, dataset
    run.refresh(workbook)
    activation.decide(workbook)
    with workbook.engine.read() as session:
        assert session.scalar("SELECT COUNT(*) AS n FROM profile.customer") >= 6


ALL_AT_ONCE = {
    dataset: [
        {**plain_rows(dataset)[0], name: value}
        for name, kind in kinds(dataset).items()
        for value in {"timestamp": ODD_TIMES, "date": ODD_TIMES, "decimal": ODD_NUMBERS, "number": ODD_NUMBERS}.get(
            kind, ODD_TEXTS
        )
    ]
    for dataset in SOURCES
}


@pytest.mark.parametrize(
    "form", ["parquet", pytest.param("csv", marks=pytest.mark.slow), pytest.param("json", marks=pytest.mark.slow)]
)
def test_every_odd_value_at_once(form: str, outputs: Path, tmp_path: Path) -> None:
    taken_whole(made(tmp_path / "odd", ALL_AT_ONCE, form))


@pytest.mark.slow
def test_a_value_column_of_another_type_is_bounded(outputs: Path, tmp_path: Path) -> None:
    """Whole numbers and floating ones that are summed, and amounts that are left out."""
    ordinary = plain_rows("purchases")
    odd = [{**ordinary[0], "quantity": value} for value in [*ODD_NUMBERS, *["90000000000"] * 150]]
    odd += [{**ordinary[0], "amount": "99999999999999", "category": "gone"}] * 3
    workbook = made(tmp_path / "odd", {"purchases": odd}, "csv")
    for kind in ("integer", "number"):
        text = workbook.file.read_text("utf-8").replace(
            "quantity: quantity", f"quantity: quantity, points: {{from: quantity, type: {kind}}}"
        )
        text = text.replace("category: category\n", "category: category\nvalue: {column: points, unit: points}\n")
        text = text.replace("path: purchases.csv", "path: purchases.csv\n    leave_out: {gone: \"category = 'gone'\"}")
        (tmp_path / kind).mkdir()
        for file in tmp_path.glob("odd/*.csv"):
            (tmp_path / kind / file.name).write_bytes(file.read_bytes())
        (tmp_path / kind / f"{kind}.yml").write_text(text, "utf-8")
        taken_whole(Workbook.open(tmp_path / kind / f"{kind}.yml"))


@st.composite
def everywhere(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Odd rows of every dataset."""
    return {dataset: draw(odd_rows(dataset)) for dataset in SOURCES}


@pytest.mark.slow
@settings(max_examples=often(15, 6), suppress_health_check=list(HealthCheck))
@given(odd=everywhere(), form=st.sampled_from(FORMS))
def test_no_accepted_row_stops_a_refresh(odd: dict[str, list[Row]], form: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(Path(folder) / "outputs"))
        taken_whole(made(Path(folder) / "odd", odd, form))


def test_what_breaks_a_table_leads_to_its_batch_and_the_way_out(shop: Workbook) -> None:
    """More than sums hold, of rows each within the bound: named with file, rows and days, and taken back as it says."""
    run.refresh(shop)
    before = shop.query("derived.customer_value")
    folder = shop.file.parent
    for name, amount, rows in (("good", "7", 3), ("loop", "90000000000", 1_200)):
        lines = [f"d,2024-02-{1 + n % 28:02},{amount}" for n in range(rows)]
        (folder / f"{name}.csv").write_text("customer,day,spent\n" + "\n".join(lines), encoding="utf-8")
        ingest.ingest_files(shop, "purchases", [folder / f"{name}.csv"])
    with pytest.raises(models.TableError) as caught:
        run.refresh(shop)
    broken, lead = str(caught.value).splitlines()
    assert "DECIMAL(18,4)" in broken
    assert lead == (
        "Of what it reads, this came in since the tables were last published: batch 2 (good.csv, 3 rows of purchases, "
        "2024-02-01 to 2024-02-03), batch 3 (loop.csv, 1,200 rows of purchases, 2024-02-01 to 2024-02-28). "
        f"clv revert {shop.file} N takes a batch back"
    )
    assert shop.query("derived.customer_value").equals(before)
    ingest.revert(shop, 3)
    run.refresh(shop)
    assert len(shop.query("derived.customer_value")) == len(before) + 1
