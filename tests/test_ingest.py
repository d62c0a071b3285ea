"""Rows come in or are set aside with a reason; none is lost, none comes in twice."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv_helpers import lake
from clv_helpers.workbook import Workbook
from conftest import SHOP_CSV, write_shop

FIELD = st.sampled_from(["", " ", "a", "b", "2024-01-05", "2024-02-30", "12.5", "-3", "1e3", "x,y", 'q"q', "NULL", "ü"])


def rows_of(workbook: Workbook, table: str) -> list[dict]:
    with workbook.engine.write() as session:
        return session.rows(f"SELECT * FROM {table}")


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
        workbook = Workbook.open(params, overrides={"sources.loyalty_events.max_rejected_share": 1})
        batch = lake.ingest(workbook)[0]
        assert batch["rows_read"] == len(lines)
        assert batch["rows_accepted"] + batch["rows_rejected"] == len(lines)
        accepted, rejected = rows_of(workbook, "lake.loyalty_events"), rows_of(workbook, "lake.rejected_rows")
    assert (len(accepted), len(rejected)) == (batch["rows_accepted"], batch["rows_rejected"])
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
    first, again = lake.ingest(workbook)[0], lake.ingest(workbook)[0]
    assert (first["status"], again["status"]) == ("success", "already ingested")
    assert first["_batch_id"] == again["_batch_id"] == 1
    assert len(rows_of(workbook, "lake.loyalty_events")) == 5


def test_changed_file_is_refused_rather_than_added_on_top(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    lake.ingest(workbook)
    (tmp_path / "purchases.csv").write_text(SHOP_CSV + "d,2024-03-05,1.00\n")
    with pytest.raises(lake.IngestError, match=r"purchases\.csv was ingested as batch 1 and has changed"):
        lake.ingest(workbook)
    assert len(rows_of(workbook, "lake.loyalty_events")) == 5


def test_too_many_bad_rows_leave_nothing_behind(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path, csv=SHOP_CSV + "d,never,1.00\n"))
    with pytest.raises(lake.IngestError, match=r"1 of 6 rows break .* 5% .* row 6: occurred_at 'never' is not"):
        lake.ingest(workbook)
    assert rows_of(workbook, "lake.loyalty_events") == []
    assert rows_of(workbook, "lake.batches") == []


def test_empty_file(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path, csv="customer,day,spent\n"))
    with pytest.raises(lake.IngestError, match=r"purchases\.csv has no rows"):
        lake.ingest(workbook)


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
    workbook = Workbook.open(other, overrides={"sources.loyalty_events.path": file.name})
    lake.ingest(workbook)
    lake.ingest(expected_book)
    assert rows_of(workbook, "lake.loyalty_events") == rows_of(expected_book, "lake.loyalty_events")


def test_pattern_brings_each_file_in_as_a_batch(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    (tmp_path / "purchases_2.csv").write_text("customer,day,spent\nd,2024-04-01,3\n")
    workbook = Workbook.open(params, overrides={"sources.loyalty_events.path": "purchases*.csv"})
    assert [row["rows_read"] for row in lake.ingest(workbook)] == [5, 1]
    assert {row["_batch_id"] for row in rows_of(workbook, "lake.loyalty_events")} == {1, 2}


def test_columns_of_ones_own_are_kept(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    own = {"sources.loyalty_events.columns.note": {"from": "spent", "type": "text"}}
    workbook = Workbook.open(params, overrides=own)
    lake.ingest(workbook)
    assert rows_of(workbook, "lake.loyalty_events")[0]["note"] == "10.50"


def test_cdnow_comes_in_whole(cdnow: Workbook) -> None:
    batch = cdnow.query("lake.batches").iloc[0]
    assert (batch.rows_read, batch.rows_accepted, batch.rows_rejected) == (69_659, 69_659, 0)
    with cdnow.engine.write() as session:
        facts = session.rows(
            "SELECT COUNT(DISTINCT membership_number) AS customers, SUM(CASE WHEN amount = 0 THEN 1 END) AS zero "
            "FROM lake.loyalty_events"
        )[0]
    assert facts == {"customers": 23_570, "zero": 80}
