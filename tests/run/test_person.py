"""A person can be asked about, and forgotten: nothing else changes, and nothing comes back."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from people import EMAIL, NAME, PERSON, built, tables_of, write_people
from typer.testing import CliRunner

from clv_helpers import activation, ingest
from clv_helpers.cli import app
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.engines.engine import LakeBusyError
from clv_helpers.errors import UserError
from clv_helpers.ingest.forgotten import REASON
from clv_helpers.run import forget, person_export
from clv_helpers.run.person import PersonError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs and the data of a workbook with everything; tests copy it."""
    folder = tmp_path_factory.mktemp("people")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        built(write_people(folder / "data"))
    return folder


@pytest.fixture
def people(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbook:
    shutil.copytree(made, tmp_path / "people")
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "people" / "outputs"))
    return Workbook.open(tmp_path / "people" / "data" / "people.yml")


def bytes_of(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_export_holds_every_table_that_names_the_person(people: Workbook) -> None:
    held, files = person_export.export(people, PERSON)
    said = {part.table: part for part in held.tables}
    with people.engine.read() as session:
        named = {n for n in session.tables() if "customer_id" in session.columns(table(n))}
        counted = {
            n: session.scalar(f"SELECT COUNT(*) AS n FROM {n} WHERE customer_id = $id", id=PERSON) for n in named
        }
    assert {name for name, rows in counted.items() if rows} <= set(said)
    assert {name: len(said[name].rows) for name, rows in counted.items() if rows} == {
        name: rows for name, rows in counted.items() if rows
    }
    assert said["lake.customers"].made_from == ["batch 3 (customers.csv)"]
    assert held.tables[0].table.startswith("lake.")
    assert [row["destination"] for row in held.handed_over] == ["team"]
    assert any("spring" in file.path.name and file.records == 1 for file in held.files)
    assert {file.path.name for file in held.sources} >= {"customers.csv", "mails.csv", "events_0.csv"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert json.loads(files[0].read_text())["person"]["identities"] == {"Email": [EMAIL], "name": [NAME]}
    assert EMAIL in files[1].read_text()
    assert "guest1@" not in files[0].read_text() + files[1].read_text()


def test_an_address_leads_to_its_one_customer(people: Workbook) -> None:
    assert person_export.held_on(people, EMAIL.upper()).person.customer_id == PERSON


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("N-999999", "nobody is known"),
        ("family@example.com", "2 customers have this identity"),
        ("", "nobody is known"),
    ],
)
def test_who_is_not_one_person_is_told_in_a_sentence(people: Workbook, given: str, sentence: str) -> None:
    for asked in (person_export.held_on, forget.plan, forget.forget):
        with pytest.raises(PersonError, match=sentence) as error:
            asked(people, given)
        assert "N-00000" not in str(error.value)


def test_without_confirm_nothing_changes(people: Workbook) -> None:
    before = bytes_of(people.folder)
    ran = CliRunner().invoke(app, ["person", str(people.file), PERSON, "forget", "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["tables"]["profile.customer"] == 1
    assert bytes_of(people.folder) == before


@pytest.fixture(scope="module")
def forgotten(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after the person was forgotten, with more files in which the person was; tests copy it."""
    folder = tmp_path_factory.mktemp("forgotten") / "people"
    shutil.copytree(made, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = Workbook.open(folder / "data" / "people.yml")
        write_files(workbook.folder)
        person_export.export(workbook, PERSON)
        ran = CliRunner().invoke(app, ["person", str(workbook.file), EMAIL, "forget", "--confirm"])
    assert ran.exit_code == 0, ran.output
    (folder / "said.txt").write_text(ran.output)
    return folder


def write_files(folder: Path) -> None:
    """What a run, a stream and a crash leave."""
    (folder / "runs" / "1").mkdir(parents=True)
    (folder / "runs" / "1" / "1_derived_dataset.ipynb").write_text(f'{{"cells": ["{NAME}"]}}')
    (folder / "runs" / "1" / "report.html").write_text("<p>nobody</p>")
    (folder / "published.part.duckdb").write_bytes(EMAIL.encode())
    (folder / "stream" / "purchases").mkdir(parents=True)
    events = [{"event_id": f"s{n}", "customer_id": c} for n, c in enumerate([PERSON, "N-000001"])]
    lines = "".join(f"{json.dumps(event)}\n" for event in events)
    (folder / "stream" / "purchases" / "open.part").write_text(lines)
    spool = folder / "activation" / "left" / "1.part"
    spool.parent.mkdir(parents=True)
    rows = pd.DataFrame({"address": [EMAIL, "guest1@example.com"], "_customer": [PERSON, "N-000001"]})
    duckdb.from_df(rows).write_parquet(str(spool))
    spool.with_suffix(".jsonl").write_text(f'\n["begun", "{PERSON}", ""]\n["begun", "N-000001", ""]')
    old = f"number;address\r\n{PERSON};{EMAIL}\r\nN-000001;guest1@example.com\r\n"
    (folder / "exports" / "old.csv.gz").write_bytes(gzip.compress(old.encode()))


@pytest.fixture
def after(forgotten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbook:
    shutil.copytree(forgotten, tmp_path / "people")
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "people" / "outputs"))
    return Workbook.open(tmp_path / "people" / "data" / "people.yml")


def test_nothing_else_changes(made: Path, after: Workbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = tables_of(after)
    with monkeypatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "fresh"))
        fresh = tables_of(built(write_people(tmp_path / "fresh_data", without=PERSON)))
        patch.setenv("CLV_OUTPUTS_DIR", str(made / "outputs"))
        before = tables_of(Workbook.open(made / "data" / "people.yml"), without=PERSON)
    assert now.keys() == fresh.keys()
    for name, frame in fresh.items():
        pd.testing.assert_frame_equal(now[name], frame, obj=name)
    for name in ("lake.purchases", "derived.customer_day", "activation.ledger", "audiences.membership_period"):
        pd.testing.assert_frame_equal(now[name], before[name], obj=name)


def test_what_cannot_be_reached_is_told(forgotten: Path) -> None:
    said = (forgotten / "said.txt").read_text()
    assert "not reached: handed to team for spring, delivered" in said
    for name in ("customers.csv", "mails.csv", "events_0.csv"):
        assert f"data/{name}: " in said
    assert "finds nothing more" in said


def test_no_byte_is_left(after: Workbook) -> None:
    for file, content in bytes_of(after.folder).items():
        text = gzip.decompress(content) if file.suffix == ".gz" else content
        for mark in (PERSON, EMAIL, NAME):
            assert mark.encode() not in text, file
    assert not (after.folder / "people" / PERSON).exists()


def test_what_was_beside_the_person_stays(after: Workbook) -> None:
    folder = after.folder
    assert (folder / "runs" / "1" / "report.html").exists()
    assert not (folder / "runs" / "1" / "1_derived_dataset.ipynb").exists()
    pending = (folder / "stream" / "purchases" / "open.part").read_text().splitlines()
    assert [json.loads(line)["customer_id"] for line in pending] == ["N-000001"]
    spool = duckdb.read_parquet(str(folder / "activation" / "left" / "1.part"))
    assert spool.fetchall() == [("guest1@example.com", "N-000001")]
    assert "N-000001" in (folder / "activation" / "left" / "1.jsonl").read_text()
    old = gzip.decompress((folder / "exports" / "old.csv.gz").read_bytes())
    assert old == b"number;address\r\nN-000001;guest1@example.com\r\n"


def test_exports_stay_true(made: Path, after: Workbook) -> None:
    exports = after.folder / "exports"
    [file] = exports.glob("spring*.csv")
    before = (made / "outputs" / "people" / "exports" / file.name).read_text().splitlines()
    assert file.read_text().splitlines() == [line for line in before if PERSON not in line]
    assert len(before) - len(file.read_text().splitlines()) == 1
    manifest = json.loads(next(exports.glob("manifest-*.json")).read_text())["files"][0]
    assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (manifest["rows"], manifest["bytes"]) == (len(before) - 2, file.stat().st_size)
    part = after.query("activation.part").iloc[0]
    assert (part["sha256"], part["rows"]) == (manifest["sha256"], manifest["rows"])


def test_who_was_forgotten_does_not_come_back(after: Workbook, tmp_path: Path) -> None:
    customers = after.source_files("customers")[0]
    [members] = [batch for batch in ingest.batches(after) if batch.dataset == "customers"]
    rows = customers.read_text().replace(f",{PERSON}\n", ",\n")  # what another customer's row says of the person
    customers.write_text(rows + "N-000099,n@example.com,New,Guest,North,true,\n")
    replayed = ingest.replay(after, members.batch_id, customers)
    assert (replayed.rows_accepted, replayed.rows_rejected) == (60, 1)
    late = tmp_path / "late.csv"
    late.write_text(
        "event_id,customer_id,occurred_at,amount,category\n"
        f"l1,{PERSON},2024-12-01,5,GOLD\nl2,{PERSON},never,5,GOLD\nl3,N-000001,2024-12-01,5,GOLD\nl4,{PERSON}\n"
    )
    [batch] = ingest.ingest_files(after, "purchases", [late])
    assert (batch.rows_accepted, batch.rows_rejected) == (1, 3)
    with after.engine.write(publish=True):
        pass
    rejected = after.query("lake.rejected_rows", _batch_id=batch.batch_id)
    assert set(rejected["reason"]) == {REASON}
    assert rejected["value"].isna().all()
    assert after.query("lake.purchases", customer_id=PERSON).empty
    with pytest.raises(PersonError, match="was forgotten before"):
        forget.plan(after, PERSON)
    assert PERSON.encode() not in after.engine.published.read_bytes()


def test_a_lost_key_is_told(after: Workbook, tmp_path: Path) -> None:
    key = after.folder / "forgotten.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    (tmp_path / "late.csv").write_text("event_id,customer_id,occurred_at,amount\nl1,N-000001,2024-12-01,5\n")
    with pytest.raises(UserError, match=r"1 persons were forgotten, and the key .* is not in"):
        ingest.ingest_files(after, "purchases", [tmp_path / "late.csv"])


def test_a_busy_lake_is_told(people: Workbook) -> None:
    people.engine.patience = 0.2
    with people.engine.write(), pytest.raises(LakeBusyError, match="is writing to the lake"):
        forget.forget(people, PERSON)


def test_an_unfinished_erasure_is_finished_when_run_again(people: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(forget, "compact", fails)
        with pytest.raises(KeyboardInterrupt):
            forget.forget(people, PERSON)
    [journal] = people.folder.glob("forgetting-*.json")
    assert journal.stat().st_mode & 0o777 == 0o600
    told = forget.forget(people, EMAIL)
    assert told.done
    assert told.tables["profile.customer"] == 1
    assert not journal.exists()
    assert len(people.query("lake.forgotten")) == 1


@pytest.mark.slow
def test_the_airline_forgets_a_member_with_a_predicted_value(workbook: Workbook) -> None:
    activation.activate(workbook, workbook.params.activations[0])
    member = workbook.query("activation.ledger")["customer_id"].iloc[0]
    valued = len(workbook.query("lifetime.customer_lifetime_value"))
    told = forget.forget(workbook, member)
    assert told.done
    assert told.tables["lake.forecast_customer"] == told.tables["activation.assignment"] == 1
    assert len(workbook.query("lifetime.customer_lifetime_value")) == valued - 1
    assert member not in set(workbook.query("activation.assignment")["customer_id"])
    assert {file.path.parent.name for file in told.sources} == {"source"}
