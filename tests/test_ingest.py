"""Rows come in or are rejected with a reason; none is lost, none comes in twice."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv_helpers import ingest
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from conftest import SHOP_CSV, write_shop

FIELD = st.sampled_from(["", " ", "a", "b", "2024-01-05", "2024-02-30", "12.5", "-3", "1e3", "x,y", 'q"q', "NULL", "ü"])


def rows_of(workbook: Workbook, table: str) -> list[dict]:
    with workbook.engine.write() as session:
        return session.rows(f"SELECT * FROM {table} ORDER BY ALL")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=12))
def test_accepted_and_rejected_make_up_what_was_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("ingest")
    quoted = ["customer,day,spent"] + [",".join('"' + f.replace('"', '""') + '"' for f in line) for line in lines]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder))
        params = write_shop(folder, csv="\n".join(quoted) + "\n")
        workbook = Workbook.open(params, overrides={"sources.purchases.max_rejected_share": 1})
        batch = ingest.ingest_files(workbook)[0]
        assert batch.rows_read == len(lines)
        assert batch.rows_accepted + batch.rows_rejected == len(lines)
        accepted, rejected = rows_of(workbook, "lake.purchases"), rows_of(workbook, "lake.rejected_rows")
    assert (len(accepted), len(rejected)) == (batch.rows_accepted, batch.rows_rejected)
    bad = {number for number, (who, day, spent) in enumerate(lines, 1) if not reads_well(who, day, spent)}
    assert {row["row_number"] for row in rejected} == bad
    assert all(row["reason"] and row["column_name"] for row in rejected)


def reads_well(who: str, day: str, spent: str) -> bool:
    """The contract, told again in plain Python."""
    if not who.strip() or not day.strip() or day.strip() != "2024-01-05":
        return False
    return not spent.strip() or spent in ("12.5", "-3", "1e3")


def test_same_file_again_changes_nothing(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    first, again = ingest.ingest_files(workbook)[0], ingest.ingest_files(workbook)[0]
    assert (first.status, again.status) == ("success", "already ingested")
    assert first.batch_id == again.batch_id == 1
    assert len(rows_of(workbook, "lake.purchases")) == 5


def test_changed_file_is_refused_rather_than_added_on_top(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(workbook)
    (tmp_path / "purchases.csv").write_text(SHOP_CSV + "d,2024-03-05,1.00\n")
    with pytest.raises(ingest.IngestError, match=r"purchases\.csv was ingested as batch 1 and has changed"):
        ingest.ingest_files(workbook)
    assert len(rows_of(workbook, "lake.purchases")) == 5


def test_too_many_bad_rows_leave_nothing_behind(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path, csv=SHOP_CSV + "d,never,1.00\n"))
    with pytest.raises(ingest.IngestError, match=r"1 of 6 rows break .* 5% .* row 6: occurred_at 'never' is not"):
        ingest.ingest_files(workbook)
    assert rows_of(workbook, "lake.purchases") == rows_of(workbook, "lake.rejected_rows") == []
    batch = rows_of(workbook, "lake.batches")[0]
    assert (batch["status"], batch["rows_read"], batch["rows_rejected"]) == ("failed", 6, 1)
    assert batch["reason"].startswith("purchases.csv: 1 of 6 rows break the contract")
    # mended, the same file name comes in as a new batch
    (tmp_path / "purchases.csv").write_text(SHOP_CSV)
    assert ingest.ingest_files(workbook)[0].batch_id == 2


def test_empty_file(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path, csv="customer,day,spent\n"))
    with pytest.raises(ingest.IngestError, match=r"purchases\.csv has no rows"):
        ingest.ingest_files(workbook)


@pytest.mark.parametrize("kind", ["csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_other_formats_give_the_same_rows(outputs: Path, tmp_path: Path, kind: str) -> None:
    expected_book = Workbook.open(write_shop(tmp_path / "csv"))
    params = write_shop(tmp_path / "other", extra="")
    file = tmp_path / "other" / f"events.{kind}"
    lines = [dict(zip(("customer", "day", "spent"), row.split(","), strict=True)) for row in SHOP_CSV.split()[1:]]
    if kind == "parquet":
        duckdb.sql(f"COPY (FROM read_csv('{tmp_path}/csv/purchases.csv')) TO '{file}' (FORMAT parquet)")
    else:
        text = SHOP_CSV if kind.startswith("csv") else "".join(json.dumps(line) + "\n" for line in lines)
        file.write_bytes(gzip.compress(text.encode()) if kind.endswith("gz") else text.encode())
    other = params.rename(params.with_name("other.yml"))
    workbook = Workbook.open(other, overrides={"sources.purchases.path": file.name})
    ingest.ingest_files(workbook)
    ingest.ingest_files(expected_book)
    assert rows_of(workbook, "lake.purchases") == rows_of(expected_book, "lake.purchases")


def test_pattern_brings_each_file_in_as_a_batch(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    (tmp_path / "purchases_2.csv").write_text("customer,day,spent\nd,2024-04-01,3\n")
    workbook = Workbook.open(params, overrides={"sources.purchases.path": "purchases*.csv"})
    assert [batch.rows_read for batch in ingest.ingest_files(workbook)] == [5, 1]
    assert {row["_batch_id"] for row in rows_of(workbook, "lake.purchases")} == {1, 2}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_are_no_rows_are_set_aside(outputs: Path, tmp_path: Path, end: str) -> None:
    """One torn line of a large file is no reason to refuse the others, nor may it be lost."""
    good = "".join(f"c{number},2024-01-03,1\n" for number in range(100))
    torn = 'x,"2024-01-03"z,1\ny,2024-01-03,1,one too many\nz,2024-01-03\n'
    workbook = Workbook.open(
        write_shop(tmp_path, csv=f"customer,day,spent\n{good}{torn}d,2024-02-01,2\n".replace("\n", end))
    )
    batch = ingest.ingest_files(workbook)[0]
    assert (batch.rows_read, batch.rows_accepted, batch.rows_rejected) == (104, 101, 3)
    rows = rows_of(workbook, "lake.rejected_rows")
    assert [(row["row_number"], row["column_name"]) for row in rows] == [(n, f"line {n}") for n in (102, 103, 104)]
    assert rows[1]["value"] == "y,2024-01-03,1,one too many"
    assert all(row["reason"].startswith("is no row: ") for row in rows)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "purchases.csv is empty"),
        (b"customer,day,day,spent\na,2024-01-03,x,1\n", "is read from 'day', which"),
        ("kund,dåg,spent\n".encode("latin-1"), "is not written in utf-8, but likely in cp1252"),
        (
            b"customer;day\na;2024-01-03\n",
            r"columns\.amount is read from 'spent', which purchases\.csv has not; .*: customer, day",
        ),
        (b"customer,day,spent\n", "purchases.csv has no rows"),
        (b'customer,day,spent\n"a\n', "1 of 1 rows break the contract"),
    ],
)
def test_csv_that_is_no_batch(outputs: Path, tmp_path: Path, data: bytes, says: str) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    (tmp_path / "purchases.csv").write_bytes(data)
    with pytest.raises(ingest.IngestError, match=says):
        ingest.ingest_files(workbook)
    assert ingest.batches(workbook)[0].status == "failed"


@pytest.mark.parametrize("name", ["broken.jsonl", "broken.json.gz", "broken.parquet"])
def test_file_that_no_reader_takes(outputs: Path, tmp_path: Path, name: str) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(workbook)
    (tmp_path / name).write_bytes(b"no data of this kind\n")
    with pytest.raises(ingest.IngestError, match=rf"{name} (is|cannot) "):
        ingest.ingest_files(workbook, "purchases", [tmp_path / name])
    last = ingest.batches(workbook)[-1]
    assert (last.status, last.file) == ("failed", name)
    assert re.search(rf"{name} (is|cannot) ", last.reason)
    whole = tmp_path / "whole.parquet"
    duckdb.sql(
        f"COPY (SELECT 'x' AS customer, DATE '2024-01-03' AS day, i AS spent FROM range(99999) t(i)) TO '{whole}'"
    )
    torn = bytearray(whole.read_bytes())
    torn[100:2000] = bytes(1900)  # the head and the foot are whole, the pages between are not
    (tmp_path / "torn.parquet").write_bytes(torn)
    with pytest.raises(ingest.IngestError, match=r"torn\.parquet cannot be read"):
        ingest.ingest_files(workbook, "purchases", [tmp_path / "torn.parquet"])
    assert len(rows_of(workbook, "lake.purchases")) == 5


@pytest.mark.parametrize(
    "data",
    [
        b"customer;day;spent\r\na;2024-01-03;1\r\n",
        b"\xef\xbb\xbfcustomer\tday\tspent\na\t2024-01-03\t1\n",
        b'"customer"|"day"|"spent"|\n"a"|2024-01-03|1|\n',
        b"customer, day, spent\na,2024-01-03,1\n",
    ],
)
def test_csv_as_programs_write_it(outputs: Path, tmp_path: Path, data: bytes) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    (tmp_path / "purchases.csv").write_bytes(data)
    ingest.ingest_files(workbook)
    row = rows_of(workbook, "lake.purchases")[0]
    assert (row["customer_id"], float(row["amount"])) == ("a", 1)


def test_folder_stands_for_the_data_files_in_it(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.csv").write_text("customer,day,spent\nd,2024-04-01,3\n")
    (tmp_path / "in" / "a.csv").write_text("customer,day,spent\nd,2024-04-01,4\n")
    (tmp_path / "in" / "readme.md").write_text("no data")
    (tmp_path / "in" / ".b.csv.part").write_text("half")
    workbook = Workbook.open(params, overrides={"sources.purchases.path": "in"})
    assert [batch.file for batch in ingest.ingest_files(workbook)] == ["a.csv", "b.csv"]


def test_json_keys_may_come_late_and_digits_stay(outputs: Path, tmp_path: Path) -> None:
    """A key that only the last of many rows has is read, and text that looks like a date or a number stays text."""
    rows = [{"customer": "007", "day": "2024-01-03", "spent": 1.1}] * 30_000
    rows.append({"customer": "2024-1-5", "day": "2024-01-03", "spent": 12345678901.1234, "shelf": "1.50"})
    (tmp_path / "late.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = {"sources.purchases.columns.shelf": {"from": "shelf", "type": "text"}}
    workbook = Workbook.open(write_shop(tmp_path), overrides=own)
    ingest.ingest_files(workbook, "purchases", [tmp_path / "late.jsonl"])
    last = next(row for row in rows_of(workbook, "lake.purchases") if row["shelf"])
    assert (last["customer_id"], last["shelf"]) == ("2024-1-5", "1.50")
    assert str(last["amount"]) == "12345678901.1234"


def test_decimal_comma_of_csv_does_not_touch_json(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"customer": "a", "day": "2024-01-03", "spent": 1.5}\n')
    workbook = Workbook.open(write_shop(tmp_path), overrides={"sources.purchases.csv": {"decimal": ","}})
    ingest.ingest_files(workbook, "purchases", [tmp_path / "a.jsonl"])
    assert float(rows_of(workbook, "lake.purchases")[0]["amount"]) == 1.5


def test_columns_of_ones_own_are_kept(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    own = {"sources.purchases.columns.note": {"from": "spent", "type": "text"}}
    workbook = Workbook.open(params, overrides=own)
    ingest.ingest_files(workbook)
    assert rows_of(workbook, "lake.purchases")[0]["note"] == "10.50"


def steps(workbook: Workbook) -> list[tuple[int, str]]:
    with workbook.engine.write() as session:
        rows = session.rows("SELECT _batch_id, status FROM lake.batch_log ORDER BY _batch_id, step")
    return [(row["_batch_id"], row["status"]) for row in rows]


def test_history_of_a_batch(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(workbook)
    ingest.revert(workbook, 1)
    assert steps(workbook) == [(1, "loading"), (1, "loaded"), (1, "success"), (1, "reverted")]
    assert rows_of(workbook, "lake.purchases") == []
    ingest.ingest_files(workbook)
    assert steps(workbook)[4:] == [(2, "loading"), (2, "loaded"), (2, "success")]
    assert len(rows_of(workbook, "lake.purchases")) == 5


@pytest.mark.parametrize(("batch", "says"), [(7, "shop has no batch 7"), (1, r"purchases\.csv\) is reverted")])
def test_what_cannot_be_reverted(outputs: Path, tmp_path: Path, batch: int, says: str) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(workbook)
    ingest.revert(workbook, 1)
    with pytest.raises(ingest.IngestError, match=says):
        ingest.revert(workbook, batch)


def test_replay_puts_a_file_in_the_place_of_a_batch(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(workbook)
    (tmp_path / "purchases.csv").write_text(SHOP_CSV.replace("40.00", "44.00"))
    new = ingest.replay(workbook, 1, tmp_path / "purchases.csv")
    assert (new.batch_id, new.status, new.reason) == (2, "success", "replaces batch 1")
    assert sorted(float(row["amount"]) for row in rows_of(workbook, "lake.purchases"))[-1] == 44
    assert [batch.status for batch in ingest.batches(workbook)] == ["reverted", "success"]


def test_failed_replay_leaves_the_old_batch(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    ingest.ingest_files(workbook)
    (tmp_path / "worse.csv").write_text("customer,day,spent\na,never,1\n")
    with pytest.raises(ingest.IngestError, match="1 of 1 rows break the contract"):
        ingest.replay(workbook, 1, tmp_path / "worse.csv")
    assert len(rows_of(workbook, "lake.purchases")) == 5
    assert steps(workbook) == [(1, "loading"), (1, "loaded"), (1, "success")]


def test_killed_process_leaves_nothing_and_is_noted(outputs: Path, tmp_path: Path) -> None:
    """Killed between the open batch and its rows: the next run says so and brings the file in whole."""
    params = write_shop(tmp_path)
    code = (
        "import os, signal, sys\nfrom clv_helpers import ingest\nfrom clv_helpers.ingest import loading as module\n"
        "from clv_helpers.config.workbook import Workbook\nimport clv_helpers.ingest.loading\n"
        "sys.modules['clv_helpers.ingest.loading']._insert = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "ingest.ingest_files(Workbook.open(sys.argv[1]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(params)], check=False)
    assert killed.returncode == -signal.SIGKILL
    workbook = Workbook.open(params)
    assert ingest.ingest_files(workbook)[0].batch_id == 2
    batches = rows_of(workbook, "lake.batches")
    assert [(row["status"], row["reason"]) for row in batches] == [("failed", "interrupted"), ("success", None)]
    assert len(rows_of(workbook, "lake.purchases")) == 5


def test_list_of_batches_makes_no_file_and_waits_for_nobody(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    assert ingest.batches(workbook) == []
    assert not workbook.folder.exists()
    ingest.ingest_files(workbook)
    before = [(file.name, file.stat().st_mtime_ns) for file in sorted(workbook.folder.iterdir())]
    assert [batch.file for batch in ingest.batches(workbook)] == ["purchases.csv"]
    assert [(file.name, file.stat().st_mtime_ns) for file in sorted(workbook.folder.iterdir())] == before
    with workbook.engine.write(publish=True):
        pass
    with workbook.engine.write() as session:  # a writer is at work: what was published is shown at once
        session.run("DELETE FROM lake.batches")
        assert [batch.status for batch in ingest.batches(workbook)] == ["success"]


EVENT_ID = {"sources.purchases.columns.event_id": "receipt"}
RECEIPTS = "receipt,customer,day,spent\nr1,a,2024-01-03,10.50\nr2,b,2024-01-03,20.00\nr3,a,2024-02-10,5.25\n"


def test_repeated_events_come_in_once_and_do_not_fail_the_file(outputs: Path, tmp_path: Path) -> None:
    """Rows alike in all columns are repeats within a file; across files it is the key alone that tells."""
    twice = RECEIPTS + "r1,a,2024-01-03,10.50\nr3,a,2024-02-10,5.25\n"
    workbook = Workbook.open(write_shop(tmp_path, twice), overrides=EVENT_ID)
    first = ingest.ingest_files(workbook)[0]
    assert (first.rows_read, first.rows_accepted, first.rows_rejected) == (5, 3, 2)
    (tmp_path / "more.csv").write_text(twice.replace("10.50", "11.50") + "r4,d,2024-03-05,1.00\n")
    second = ingest.ingest_files(workbook, "purchases", [tmp_path / "more.csv"])[0]
    assert (second.rows_read, second.rows_accepted, second.rows_rejected) == (6, 1, 5)
    reasons = {row["reason"] for row in rows_of(workbook, "lake.rejected_rows")}
    assert reasons == {"repeats an event that came before"}
    assert len(rows_of(workbook, "lake.purchases")) == 4


def test_rows_that_share_an_event_id_and_differ_are_a_question(outputs: Path, tmp_path: Path) -> None:
    lines = RECEIPTS + "r1,a,2024-01-03,3.00\nr1,a,2024-01-03,10.50\nr2,b,2024-01-03,\nr3,a,2024-02-10,5.25\n"
    file = write_shop(tmp_path, lines)
    asked = (
        r"purchases.csv: 2 values of event_id \(read from receipt\) stand on several rows that differ in amount: are "
        r"they orders with several lines\? then map receipt to order_id in the place of event_id$"
    )
    workbook = Workbook.open(file, overrides=EVENT_ID)
    with pytest.raises(ingest.IngestError, match=asked):
        ingest.ingest_files(workbook)
    assert rows_of(workbook, "lake.purchases") == []
    assert [batch.status for batch in ingest.batches(workbook)] == ["failed"]
    with pytest.raises(ingest.IngestError, match="event_id names one row each; map a column that does, or none"):
        ingest.ingest_files(Workbook.open(file, overrides=EVENT_ID | {"sources.purchases.columns.order_id": "receipt"}))
    assert ingest.ingest_files(workbook, acknowledged=True)[0].rows_accepted == 3
    lines_of_orders = Workbook.open(file, overrides={"sources.purchases.columns.order_id": "receipt"})
    ingest.revert(workbook, 3)
    assert ingest.ingest_files(lines_of_orders)[0].rows_accepted == 7


def test_headers_that_the_contract_does_not_know_are_named(outputs: Path, tmp_path: Path) -> None:
    csv = SHOP_CSV.replace("\n", ",x\n").replace("spent,x", "spent,mood")
    assert ingest.ingest_files(Workbook.open(write_shop(tmp_path, csv=csv)))[0].unknown_columns == ("mood",)


def test_column_added_later_and_column_of_another_type(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    ingest.ingest_files(Workbook.open(params))
    (tmp_path / "more.csv").write_text("customer,day,spent\nd,2024-03-05,1.00\n")
    note = "sources.purchases.columns.note"
    later = Workbook.open(params, overrides={note: {"from": "spent", "type": "text"}})
    ingest.ingest_files(later, "purchases", [tmp_path / "more.csv"])
    assert [row["note"] for row in rows_of(later, "lake.purchases")] == [None] * 5 + ["1.00"]
    retyped = Workbook.open(params, overrides={note: {"from": "spent", "type": "number"}})
    with pytest.raises(ingest.IngestError, match="note is of type number, and in the lake of type VARCHAR"):
        ingest.ingest_files(retyped)


@pytest.mark.parametrize(
    ("line", "reason"),
    [("a,2999-01-01,1", "lies in the future"), ("a,2024-01-01,1,gold", "is none of GOLD, SILVER")],
)
def test_further_reasons(outputs: Path, tmp_path: Path, line: str, reason: str) -> None:
    line += ",SILVER" if line.count(",") == 2 else ""
    params = write_shop(tmp_path, csv="customer,day,spent,tier\nb,2024-01-01,2,GOLD\n" + line + "\n")
    tier = {"from": "tier", "enum": ["GOLD", "SILVER"]}
    changes = {"sources.purchases.columns.category": tier, "sources.purchases.max_rejected_share": 1}
    workbook = Workbook.open(params, overrides=changes)
    ingest.ingest_files(workbook)
    assert [row["reason"] for row in rows_of(workbook, "lake.rejected_rows")] == [reason]


def test_csv_of_another_country(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    (tmp_path / "purchases.csv").write_bytes("customer;day;spent\nJürgen;2024-01-03;1.234,56\n".encode("latin-1"))
    form = {"encoding": "latin-1", "decimal": ",", "delimiter": ";"}
    workbook = Workbook.open(params, overrides={"sources.purchases.csv": form})
    ingest.ingest_files(workbook)
    row = rows_of(workbook, "lake.purchases")[0]
    assert (row["customer_id"], float(row["amount"])) == ("Jürgen", 1234.56)


@pytest.mark.parametrize(
    ("decimal", "good", "wrong"),
    [
        (",", {"22,29": 22.29, "1.234,56": 1234.56, "1.234.567": 1234567, "-1.234": -1234, "7": 7, ",5": 0.5},
         ["22.29", "1.2345", "1234.567", "1.23.456", "1,234.56", ".500", "1,234.567"]),
        (".", {"22.29": 22.29, "-1234.5": -1234.5, "1,234.56": 1234.56}, ["22,29", "1.234.567", "1,23"]),
    ],
)  # fmt: skip
def test_dot_and_comma_are_never_taken_for_each_other(
    outputs: Path, tmp_path: Path, decimal: str, good: dict[str, float], wrong: list[str]
) -> None:
    lines = [f"{text};2024-01-03;{text}" for text in [*good, *wrong]]
    params = write_shop(tmp_path, csv="customer;day;spent\n" + "\n".join(lines) + "\n")
    form = {"decimal": decimal, "delimiter": ";"}
    settings = {"sources.purchases.csv": form, "sources.purchases.max_rejected_share": 1}
    workbook = Workbook.open(params, overrides=settings)
    ingest.ingest_files(workbook)
    taken = {row["customer_id"]: float(row["amount"]) for row in rows_of(workbook, "lake.purchases")}
    assert taken == good
    reasons = {row["value"]: row["reason"] for row in rows_of(workbook, "lake.rejected_rows")}
    how = "1234,5 or 1.234,5, as csv.decimal says" if decimal == "," else "1234.5; with csv.decimal ',' like 1234,5"
    assert reasons == dict.fromkeys(wrong, f"is not of type decimal (written like {how})")


def test_dots_of_whole_numbers_part_thousands_under_a_decimal_comma(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path, csv="customer;day;spent\na;2024-01-03;1.234\nb;2024-01-03;22.29\n")
    integer = {"sources.purchases.columns.amount": {"from": "spent", "type": "integer"}}
    form = {"sources.purchases.csv": {"decimal": ","}, "sources.purchases.max_rejected_share": 1}
    workbook = Workbook.open(params, overrides=integer | form)
    ingest.ingest_files(workbook)
    assert [row["amount"] for row in rows_of(workbook, "lake.purchases")] == [1234]
    assert [row["value"] for row in rows_of(workbook, "lake.rejected_rows")] == ["22.29"]


def test_dates_as_another_country_writes_them(outputs: Path, tmp_path: Path) -> None:
    rows = ["a;31.01.2024;1", "b;1.2.2024 18:30;2", "c;2024-03-01;3", "d;30.02.2024;4"]
    params = write_shop(tmp_path, csv="customer;day;spent\n" + "\n".join(rows) + "\n")
    form = {"dates": ["%d.%m.%Y", "%d.%m.%Y %H:%M"]}
    settings = {"sources.purchases.csv": form, "sources.purchases.max_rejected_share": 1}
    workbook = Workbook.open(params, overrides=settings)
    ingest.ingest_files(workbook)
    found = {row["customer_id"]: row["occurred_at"] for row in rows_of(workbook, "lake.purchases")}
    assert found == {"a": dt.datetime(2024, 1, 31), "b": dt.datetime(2024, 2, 1, 18, 30)}
    reasons = {row["value"]: row["reason"] for row in rows_of(workbook, "lake.rejected_rows")}
    reason = "is not of type timestamp (written like %d.%m.%Y or %d.%m.%Y %H:%M, as csv.dates says)"
    assert reasons == {"2024-03-01": reason, "30.02.2024": reason}


@pytest.mark.parametrize("wrong", ["%d.%m", "dd.mm.yyyy", "%Y-%m-%d %Y", "%d.%m.%Y %Q"])
def test_date_format_that_names_no_day_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ParamsError, match=r"sources\.purchases\.csv\.dates.*allowed: day, month and year in codes"):
        Workbook.open(write_shop(tmp_path), overrides={"sources.purchases.csv": {"dates": wrong}})


def test_cdnow_comes_in_whole(cdnow: Workbook) -> None:
    batch = cdnow.query("lake.batches").iloc[0]
    assert (batch.rows_read, batch.rows_accepted, batch.rows_rejected) == (69_659, 69_659, 0)
    with cdnow.engine.write() as session:
        facts = session.rows(
            "SELECT COUNT(DISTINCT customer_id) AS customers, SUM(CASE WHEN amount = 0 THEN 1 END) AS zero "
            "FROM lake.purchases"
        )[0]
    assert facts == {"customers": 23_570, "zero": 80}


def test_ledger_from_the_command_line(outputs: Path, tmp_path: Path) -> None:
    params = str(write_shop(tmp_path))
    (tmp_path / "more.csv").write_text("customer,day,spent,mood,f,g,h,i,j\nd,2024-03-05,1.00,good,,,,,\n")

    def clv(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).with_name("clv"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert clv("ingest", params).returncode == 0
    more = clv("ingest", params, "--dataset", "purchases", str(tmp_path / "more.csv"), "--json")
    assert json.loads(more.stdout)["batches"][0]["rows_accepted"] == 1
    assert "more.csv: 6 columns that sources.purchases does not read: mood, f, g, h, i …\n" in more.stderr
    wrong = clv("ingest", params, "--dataset", "customers", str(tmp_path / "more.csv"))
    assert wrong.returncode == 1
    assert "--dataset is 'customers'; allowed: with files, one of purchases" in wrong.stderr
    absent = clv("ingest", params, "--dataset", "purchases", "nowhere.csv")
    assert (absent.returncode, absent.stderr) == (1, "nowhere.csv cannot be read: No such file or directory\n")
    reverted = json.loads(clv("revert", params, "1", "--json").stdout)
    assert [row["batch_id"] for row in reverted["batches"]] == [1]
    listed = json.loads(clv("batches", params, "--json").stdout)["batches"]
    assert [(row["batch_id"], row["status"]) for row in listed] == [(1, "reverted"), (2, "success")]
    replayed = json.loads(clv("replay", params, "2", str(tmp_path / "more.csv"), "--json").stdout)
    assert [row["batch_id"] for row in replayed["batches"]] == [3]
    customers = clv("sql", params, "SELECT customers FROM derived.summary", "--json")
    assert json.loads(customers.stdout) == {"rows": [{"customers": 1}], "cut_off_after": None}
