"""Files arrive whole, hold what was meant, and read back with Python's csv, pandas and DuckDB as they were written."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
import socket
import subprocess
from dataclasses import asdict
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from activations import activated, changed, checked_files, everyone_in, join, leave, plan, sent
from hypothesis import given
from hypothesis import strategies as st
from servers import PASSWORD, USER, s3_server, sftp_server

from clv_helpers import activation
from clv_helpers.activation import ledger
from clv_helpers.activation.decision import decide_within
from clv_helpers.activation.destination import Part, open_destination
from clv_helpers.activation.files import Files
from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.workbook import Workbook
from conftest import absent

FILES = "destinations.email_team"
FULL = {f"{FILES}.mode": "full"}
NASTY = [
    'say "hi"', "two\nlines", "crlf\r\nhere", "semi;colon", "comma,comma", "Ærøskøbing", "名前", "عمر", "🛫🧡",
    "tab\there", "=1+1", "+46 70 123 45 67", "-12.5", "-1+1|cmd", "@SUM(A1)", "\tindented", "'quoted", "", " ",
    "NULL", "\\backslash\\",
]  # fmt: skip
NEUTRAL = {value: f"'{value}" for value in ("=1+1", "-1+1|cmd", "@SUM(A1)", "\tindented")}


def only(folder: Path) -> Path:
    (file,) = checked_files(folder)
    return file


def read_csv(file: Path, **options: str) -> list[dict[str, str]]:
    with file.open(newline="", encoding=options.pop("encoding", "utf-8")) as stream:
        return list(csv.DictReader(stream, **options))


def with_names(workbook: Workbook, names: list[str | None]) -> dict[str, str | None]:
    """Give the customers who are sent these first names in turn; customer → name."""
    everyone_in(workbook)
    activation.decide(workbook)
    people = sorted(sent(workbook))
    given_names = {person: names[index % len(names)] for index, person in enumerate(people)}
    with workbook.engine.write() as session:
        named = {"customer_id": list(given_names), "first_name": list(given_names.values())}
        session.load_frame("named", pd.DataFrame(named, dtype="str"))
        session.run(
            "UPDATE profile.attribute SET first_name = n.first_name FROM named AS n "
            "WHERE profile.attribute.customer_id = n.customer_id"
        )
    return given_names


def test_nasty_texts_survive_three_readers(workbook: Workbook) -> None:
    names = with_names(workbook, [*NASTY, None])
    activated(workbook)
    file = only(workbook.folder / "exports")
    expected = {person: NEUTRAL.get(name, name) for person, name in names.items()}
    assert {row["loyalty_id"]: row["first_name"] for row in read_csv(file)} == {
        person: name or "" for person, name in expected.items()
    }
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert dict(zip(frame["loyalty_id"], frame["first_name"], strict=True)) == {
        person: name or "" for person, name in expected.items()
    }
    options = "all_varchar = true, allow_quoted_nulls = false"
    rows = duckdb.sql(f"SELECT loyalty_id, first_name FROM read_csv('{file}', {options})").fetchall()
    # DuckDB tells an empty text from no value, as we write the one in quotes and the other as nothing
    assert dict(rows) == expected


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r")), min_size=1))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """The same COPY and the same neutralising, over any letters that there are."""
    from clv_helpers.activation.files import CsvOptions, _emptied, _neutralized
    from clv_helpers.engines.dialect import column, table
    from clv_helpers.engines.session import Session

    file = tmp_path_factory.mktemp("any") / "names.csv"
    with duckdb.connect() as connection:
        session = Session(connection)
        session.load_frame("names", pd.DataFrame({"name": names}, dtype="str"))
        from sqlglot import exp

        shown = _emptied(_neutralized(column("name")), CsvOptions())
        query = exp.select(shown.as_("name", quoted=True), column("name").as_("same")).from_(table("names"))
        session.copy_to(query, file, format="csv", header=True)
    for row, name in zip(read_csv(file), names, strict=True):
        assert row["same"] == name
        assert row["name"] in (name, f"'{name}")
        if re.match(r"[=@\t]", name):
            assert row["name"] == f"'{name}"


@pytest.mark.parametrize(
    ("options", "reading"),
    [
        ({"delimiter": ";", "quote": "'"}, {"delimiter": ";", "quotechar": "'"}),
        ({"delimiter": "\t"}, {"delimiter": "\t"}),
        ({"delimiter": "|", "escape": "\\"}, {"delimiter": "|", "escapechar": "\\", "doublequote": False}),
        ({"encoding": "utf-16"}, {"encoding": "utf-16"}),
        ({"encoding": "utf-8-sig"}, {"encoding": "utf-8-sig"}),
    ],
)
def test_csv_as_the_receiver_wants_it(workbook: Workbook, options: dict, reading: dict) -> None:
    texts = [name for name in NASTY if name not in NEUTRAL and "\\" not in name and not name.startswith("'")]
    names = with_names(workbook, texts)
    activated(workbook, **{f"{FILES}.csv": options})
    rows = read_csv(only(workbook.folder / "exports"), **reading)
    assert {row["loyalty_id"]: row["first_name"] for row in rows} == names


def test_null_and_empty_texts(workbook: Workbook) -> None:
    names = with_names(workbook, ["", None, "NULL", "x"])
    activated(workbook, **{f"{FILES}.csv": {"null_text": "NULL", "empty_text": "(empty)"}})
    raw = only(workbook.folder / "exports").read_text("utf-8")
    for person, name in names.items():
        written = {"": "(empty)", None: "NULL", "NULL": '"NULL"', "x": "x"}[name]
        assert re.search(rf"^{person},[^,]*,{re.escape(written)},", raw, flags=re.MULTILINE)


def test_a_letter_that_the_encoding_lacks_is_said(workbook: Workbook) -> None:
    with_names(workbook, ["名前"])
    with pytest.raises(DestinationError, match=r"email_team: '名' cannot be written in latin-1; csv\.encoding utf-8"):
        activated(workbook, **{f"{FILES}.csv": {"encoding": "latin-1"}})
    assert not [file for file in (workbook.folder / "exports").iterdir() if not file.name.startswith(".")]


@pytest.mark.parametrize(
    ("form", "packed"), [("csv", False), ("csv", True), ("jsonl", False), ("jsonl", True), ("parquet", False)]
)
def test_formats_hold_the_same_people(workbook: Workbook, form: str, packed: bool) -> None:
    names = with_names(workbook, ["Zoë", 'a "b"', "line\nbreak"])
    activated(workbook, **FULL, **{f"{FILES}.format": form, f"{FILES}.gzip": packed, f"{FILES}.rows_per_file": 200})
    files = checked_files(workbook.folder / "exports")
    assert len(files) == -(-len(names) // 200) > 1
    assert files[0].name.endswith(f".{form}" + ".gz" * packed)
    name = "win-back_best_now_quiet_2025-01-01"
    numbered = [f"{name}_{number}" for number in range(2, len(files) + 1)]
    assert {file.name.split(".")[0] for file in files} == {name, *numbered}
    reader = {"csv": "read_csv", "jsonl": "read_json", "parquet": "read_parquet"}[form]
    listed = ", ".join(f"'{file}'" for file in files)
    rows = duckdb.sql(f"SELECT loyalty_id, first_name FROM {reader}([{listed}])").fetchall()
    assert dict(rows) == names
    assert len(rows) == len(names)
    if packed:
        assert gzip.decompress(files[0].read_bytes())


def test_pgp_encrypts_to_a_public_key(workbook: Workbook, tmp_path: Path) -> None:
    if not shutil.which("gpg"):
        absent("gpg is not installed (Debian: apt-get install gnupg)")
    home = tmp_path / "receiver"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "Receiver <r@example.com>", "default", "default", "never"], check=True)
    public = tmp_path / "receiver.asc"
    subprocess.run([*gpg, "--armor", "--output", str(public), "--export", "r@example.com"], check=True)
    names = with_names(workbook, ["Zoë"])
    activated(workbook, **{f"{FILES}.pgp_key": str(public)})
    file = only(workbook.folder / "exports")
    assert file.name.endswith(".csv.pgp")
    opened = subprocess.run([*gpg, "--decrypt", str(file)], check=True, capture_output=True).stdout.decode()
    assert {row["loyalty_id"] for row in csv.DictReader(opened.splitlines())} == set(names)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    missing = changed(workbook, **{f"{FILES}.pgp_key": "nowhere.asc"})
    with pytest.raises(DestinationError, match=r"pgp_key is .*nowhere\.asc, and there is no such file"):
        open_destination(missing, missing.params.activations[0]).check()


def test_incremental_export_sends_changes_and_exited(workbook: Workbook) -> None:
    """Against an independent book-keeping: what a receiver has who applies each file in turn."""
    everyone_in(workbook)
    options = {
        f"{FILES}.mode": "incremental",
        f"{FILES}.file_name": "{campaign}_{run}",
        f"{FILES}.columns": {"customer_id": "id", "first_name": "name", "membership_status": "status"},
        f"{FILES}.mandatory": [],
        "activations": [plan(guards={"max_exited_share": 1, "max_size_change": 9})],
    }
    receiver: dict[str, str] = {}

    def export() -> list[dict[str, str]]:
        done = activated(workbook, **options)
        rows = [r for f in done.files for r in read_csv(workbook.folder / "exports" / f.name)]
        for row in rows:
            if row["status"] == "exited":
                del receiver[row["id"]]
            else:
                assert (row["status"] == "existing") == (row["id"] in receiver)
                assert receiver.get(row["id"]) != row["name"], "sent without a change"
                receiver[row["id"]] = row["name"]
        return rows

    def change(statement: str, **values: object) -> None:
        with workbook.engine.write() as session:
            session.run(statement, **values)

    assert len(export()) == len(receiver) > 100
    assert export() == []
    changing, leaving, losing_consent, *_ = sorted(receiver)
    change("UPDATE profile.attribute SET first_name = 'Renamed' WHERE customer_id = $m", m=changing)
    leave(workbook, f"customer_id = '{leaving}'")
    change("UPDATE profile.attribute SET email_consent = FALSE WHERE customer_id = $m", m=losing_consent)
    rows = {row["id"]: row["status"] for row in export()}
    assert rows == {changing: "existing", leaving: "exited", losing_consent: "exited"}
    join(workbook, f"customer_id = '{leaving}'")
    assert [(row["id"], row["status"]) for row in export()] == [(leaving, "realized")]
    activation.decide(changed(workbook, **options))
    assert set(receiver) == sent(workbook)


def test_a_full_export_of_the_same_day_replaces_the_last(workbook: Workbook) -> None:
    first, second = activated(workbook, **FULL), activated(workbook, **FULL)
    assert first.files[0].name == second.files[0].name
    assert first.files[0].sha256 == second.files[0].sha256
    assert first.run_id != second.run_id


def test_each_customer_once_per_campaign(workbook: Workbook) -> None:
    """By default: the second file holds those alone who came since, and no file takes the other's name."""
    everyone_in(workbook, limit=150)
    first = activated(workbook)
    assert activated(workbook).outcome == "nothing new"
    join(workbook, "customer_id NOT IN (SELECT customer_id FROM audiences.membership_period)", limit=60)
    second = activated(workbook)
    exports = workbook.folder / "exports"
    ids = [{row["loyalty_id"] for row in read_csv(exports / run.files[0].name)} for run in (first, second)]
    assert not ids[0] & ids[1]
    assert min(map(len, ids)) > 20
    again = {row["loyalty_id"] for row in read_csv(exports / activated(workbook, **FULL).files[0].name)}
    assert again == ids[0] | ids[1]


def test_the_control_group_is_exported_apart(workbook: Workbook) -> None:
    """So that other mailings can leave it alone; its file is none of those to be sent."""
    everyone_in(workbook)
    columns = {"customer_id": "id", "email": "email", "membership_status": "status", "lifetime_value": "value"}
    done = activated(workbook, **{f"{FILES}.columns": columns, f"{FILES}.csv.delimiter": ";"})
    exports = workbook.folder / "exports"
    (file,) = exports.glob("control-do-not-mail_*.csv")
    control = read_csv(file, delimiter=";")
    arms = workbook.query("activation.assignment")
    assert {row["id"] for row in control} == set(arms.loc[arms["arm"] == "control", "customer_id"])
    assert {row["status"] for row in control} == {"control"}
    assert all(re.fullmatch(r"(\d+\.\d\d)?", row["value"]) for row in control), "money has two decimals"
    treated = read_csv(exports / done.files[0].name, delimiter=";")
    assert not {row["id"] for row in control} & {row["id"] for row in treated}
    without = activated(workbook, activations=[plan(campaign="other", guards={"max_size_change": 9})])
    assert without.outcome == "done"
    assert len(list(exports.glob("control-*"))) == 1


def test_a_status_in_the_words_of_the_receiver(workbook: Workbook) -> None:
    def statuses(**values: str) -> list[str]:
        columns = {"customer_id": "id", "membership_status": "status"}
        options = {**FULL, f"{FILES}.columns": columns, f"{FILES}.status_values": values}
        file = activated(workbook, **options).files[0]
        return sorted({row["status"] for row in read_csv(workbook.folder / "exports" / file.name)})

    assert statuses() == ["realized"]
    assert statuses() == ["existing"]
    assert statuses(existing="active", exited="expired") == ["active"]


def test_manifest_tells_the_run(workbook: Workbook) -> None:
    row = activated(workbook)
    (manifest,) = (workbook.folder / "exports").glob("manifest-*.json")
    content = json.loads(manifest.read_text())
    assert content["run_id"] == row.run_id
    assert content["files"] == [asdict(file) for file in row.files]
    assert len(content["control"]) == 1
    assert content["files"][0]["rows"] == row.delivered


def test_sftp(workbook: Workbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    with sftp_server(tmp_path) as server:
        options = {
            **FULL,
            f"{FILES}.path": server.url,
            f"{FILES}.username": USER,
            f"{FILES}.password_variable": "SFTP_PASSWORD",
            f"{FILES}.known_hosts": str(server.known_hosts),
        }
        there = changed(workbook, **options)
        destination = open_destination(there, there.params.activations[0])
        assert destination.check() == "sftp://127.0.0.1/exports can be written to"
        assert list(server.folder.iterdir()) == []
        row = activated(workbook, **options)
        assert len(read_csv(only(server.folder))) == row.delivered > 0
        again = activated(workbook, **options)  # the same name again: renamed over the file that is there
        assert again.files[0].name == row.files[0].name
        monkeypatch.setenv("SFTP_PASSWORD", "wrong")
        with pytest.raises(DestinationError, match="does not take the file: Permission denied"):
            destination.check()
        monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
        server.known_hosts.write_text("")
        with pytest.raises(DestinationError, match="does not take the file: Host key is not trusted"):
            destination.check()
        monkeypatch.delenv("SFTP_PASSWORD")
        with pytest.raises(DestinationError, match="the environment variable SFTP_PASSWORD is not set"):
            destination.check()


def left(workbook: Workbook) -> list[Path]:
    """Files of activations that hold a customer's address."""

    def content(file: Path) -> bytes:
        data = file.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data

    folders = workbook.folder / "activation", workbook.folder / "exports"
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if b"@" in content(file)]


@pytest.mark.parametrize("packed", [False, True])
def test_no_address_stays_here_after_a_server_did_not_answer(workbook: Workbook, packed: bool) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"sftp://127.0.0.1:{closed.getsockname()[1]}/exports"
        with pytest.raises(DestinationError, match="does not take the file"):
            activated(workbook, **{f"{FILES}.path": url, f"{FILES}.gzip": packed, f"{FILES}.username": "clv"})
    assert left(workbook) == []


def test_nor_where_it_could_not_be_encrypted(workbook: Workbook, tmp_path: Path) -> None:
    if not shutil.which("gpg"):
        absent("gpg is not installed (Debian: apt-get install gnupg)")
    key = tmp_path / "no_key.asc"
    key.write_text("no key")
    options = {f"{FILES}.pgp_key": str(key)}
    with pytest.raises(DestinationError, match="gpg could not encrypt"):
        activated(workbook, **options)
    assert left(workbook) == []
    [planned] = activation.planned(changed(workbook, **options), "win-back")
    dropped = activation.drop(changed(workbook, **options), planned)
    assert (dropped.outcome, dropped.withdrawn) == ("dropped", dropped.to_send)


def test_what_a_killed_process_left_goes_with_the_drop(workbook: Workbook) -> None:
    planned = workbook.params.activations[0]
    files = Files(workbook, planned)
    with workbook.engine.write(files=True) as session:  # as far as it comes before it could clean up
        decide_within(session, workbook)
        run = ledger.intend(session, files, workbook.as_of(session))
        part = Part(run, 1, workbook.folder / "activation" / run.run_id / "1.part")
        files.prepare(session, ledger.rows_of_part(part, files.params), part)
    assert left(workbook), "the half-written export"
    dropped = activation.drop(workbook, planned)
    assert dropped.withdrawn == dropped.to_send > 0
    assert left(workbook) == []
    assert activation.activate(workbook, planned, accept_change=True).delivered == dropped.withdrawn


def test_s3(workbook: Workbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with s3_server() as url:
        from s3fs import S3FileSystem

        system = S3FileSystem(endpoint_url=url, use_listings_cache=False, skip_instance_cache=True)
        system.mkdir("exports")
        options = {f"{FILES}.path": "s3://exports/airline", f"{FILES}.endpoint_url": url}
        there = changed(workbook, **options)
        assert open_destination(there, there.params.activations[0]).check() == "s3://exports/airline can be written to"
        row = activated(workbook, **options)
        system.get("exports/airline/", str(tmp_path / "got"), recursive=True)
        assert len(read_csv(only(tmp_path / "got"))) == row.delivered > 0
        nowhere = changed(workbook, **{**options, f"{FILES}.path": "s3://no-such-bucket/x"})
        with pytest.raises(DestinationError, match="does not take the file: The specified bucket does not exist"):
            open_destination(nowhere, nowhere.params.activations[0]).check()
