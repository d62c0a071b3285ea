"""A destination that is a table: the database holds what was sent, who leaves is out, and nothing is there twice."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from activations import activated, changed, everyone_in, leave, plan, sent
from mariadb_server import mariadb
from postgres_server import postgres, programs
from test_interrupted import trials

from clv_helpers import activation
from clv_helpers.activation.destination import Destination, Outcome, Part, Run, open_destination
from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from conftest import absent, often

COLUMNS = {
    "customer_id": "customer_no",
    "email": "email",
    "purchases": "purchases",
    "value": "value",
    "decile_12_months": "decile",
    "last_purchase_on": "last_on",
    "email_consent": "consent",
    "membership_status": "status",
}


@dataclass(frozen=True)
class Server:
    """A database of a test's own, with a reader that is none of ours."""

    dsn: str
    rows: Callable[[str], list[dict[str, Any]]]
    run: Callable[[str], Any]


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Server]:
    file = folder / "warehouse.db"
    sqlite3.connect(file).close()

    def rows(query: str) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    def run(script: str) -> None:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.executescript(script)

    yield Server(f"sqlite:///{file}", rows, run)


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[Server]:
    found = programs()
    if found is None:
        absent("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # not below pytest's own folder, which the user postgres may not enter
    with tempfile.TemporaryDirectory(prefix="clv_postgres_") as data, postgres(found, Path(data)) as server:
        yield Server(f"postgresql://postgres@/postgres?host={server.socket}", server.rows, server.run)


@contextlib.contextmanager
def maria(folder: Path) -> Iterator[Server]:
    if not shutil.which("mariadb-install-db"):
        absent("MariaDB is not installed (Debian: apt-get install mariadb-server)")
    import pymysql

    with tempfile.TemporaryDirectory(prefix="clv_mariadb_") as data, mariadb(Path(data)) as server:

        def rows(query: str) -> list[dict[str, Any]]:
            with contextlib.closing(pymysql.connect(unix_socket=str(server.socket), user="root", database="shop")) as c:
                cursor = c.cursor(pymysql.cursors.DictCursor)
                cursor.execute(query)
                return list(cursor.fetchall())

        yield Server(server.address, rows, server.run)


SERVERS = {"mariadb": maria, "sqlite": sqlite, "postgres": postgresql}


@pytest.fixture(scope="module", params=list(SERVERS))
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("WAREHOUSE_DSN", running.dsn)
    running.run("DROP TABLE IF EXISTS win_back; DROP TABLE IF EXISTS clv_delivery;")
    return running


@pytest.fixture
def sqlite_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """For what does not hang on the database."""
    with sqlite(tmp_path) as server:
        monkeypatch.setenv("WAREHOUSE_DSN", server.dsn)
        yield server


def destination(*plans: dict[str, Any], **changes: Any) -> dict[str, Any]:
    params = {"type": "table", "database": "${WAREHOUSE_DSN}", "table": "win_back", "columns": COLUMNS, **changes}
    return {"destinations.email_team": params, "activations": list(plans) or [plan()]}


def written(server: Server) -> dict[str, dict[str, Any]]:
    return {row["customer_no"]: row for row in server.rows("SELECT * FROM win_back")}


def test_what_is_read_back_is_what_was_sent(workbook: Workbook, server: Server) -> None:
    """Also after customers have left, and what is not ours in the table stays as it is."""
    everyone_in(workbook)
    done = activated(workbook, **destination())
    people, there = sent(workbook), written(server)
    assert done.delivered == len(people) == len(server.rows("SELECT * FROM win_back"))
    assert there.keys() == people
    profile = workbook.query("profile.customer").set_index("customer_id")
    for customer, row in there.items():
        known = profile.loc[customer]
        assert (row["email"], row["purchases"], row["status"]) == (known["email"], known["purchases"], "realized")
        assert Decimal(str(row["value"])) == Decimal(str(known["value"])).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        assert str(row["last_on"]) == str(known["last_purchase_on"])[:10]
        assert bool(row["consent"]) == known["email_consent"]
    (delivery,) = server.rows("SELECT * FROM clv_delivery")
    assert (delivery["delivery"], delivery["customers"]) == (f"{done.run_id}-1", len(people))
    server.run("ALTER TABLE win_back ADD COLUMN note VARCHAR(20); UPDATE win_back SET note = 'called';")
    gone = sorted(people)[:20]
    leave(workbook, f"customer_id IN ({', '.join(map(repr, gone))})")
    assert activated(workbook, **destination()).delivered == 20
    assert written(server).keys() == people - set(gone)
    assert {row["note"] for row in written(server).values()} == {"called"}


def test_who_leaves_is_marked_until_they_come_back(workbook: Workbook, server: Server) -> None:
    everyone_in(workbook, 60)
    options = destination(leavers="mark", status_values={"realized": "in", "existing": "in", "exited": "out"})
    activated(workbook, **options)
    before = written(server)
    gone = sorted(before)[:8]
    leave(workbook, f"customer_id IN ({', '.join(map(repr, gone))})")
    activated(workbook, **options)
    there, as_of = written(server), str(workbook.query("derived.as_of")["as_of"][0])[:10]
    assert there.keys() == before.keys()
    assert {customer for customer, row in there.items() if row["status"] == "out"} == set(gone)
    assert {customer: str(row["left_on"]) for customer, row in there.items() if row["left_on"]} == dict.fromkeys(
        gone, as_of
    )
    everyone_in(workbook, 60)
    activated(workbook, **options)
    assert not any(row["left_on"] for row in written(server).values())


def test_campaigns_and_the_control_group_stand_in_one_table(workbook: Workbook, server: Server) -> None:
    everyone_in(workbook)
    plans = [plan(control={"share": 0.2}), plan(campaign="spring", control={"share": 0.2})]
    workbook = changed(workbook, **destination(*plans, campaign_column="campaign", arm_column="arm"))
    activation.decide(workbook)
    for each in workbook.params.activations:
        activation.activate(workbook, each)
    assigned = workbook.query("activation.assignment")
    allowed = workbook.query("activation.decision")
    allowed = allowed[allowed["outcome"].isin(["sent", "control"])]
    kept = assigned.merge(allowed[["campaign", "customer_id"]])
    expected = set(kept[["campaign", "customer_id", "arm"]].itertuples(index=False, name=None))
    rows = server.rows("SELECT campaign, customer_no, arm FROM win_back")
    assert {tuple(row.values()) for row in rows} == expected
    assert len(rows) == len(expected)
    assert {arm for *_, arm in expected} == {"treated", "control"}
    everyone = {customer for _, customer, _ in expected}
    leave(workbook, f"customer_id <> '{min(everyone)}'")
    activation.activate(workbook, workbook.params.activations[0], accept_change=True)
    left = server.rows("SELECT customer_no FROM win_back WHERE campaign = 'win-back'")
    assert {row["customer_no"] for row in left} <= {min(everyone)}
    assert len(server.rows("SELECT 1 AS one FROM win_back WHERE campaign = 'spring'")) == len(rows) / 2


def test_two_campaigns_want_a_column_that_tells_them_apart(workbook: Workbook) -> None:
    there = changed(workbook, **destination(plan(), plan(campaign="spring")))
    with pytest.raises(ParamsError, match=r"destinations\.email_team\.campaign_column is not given; allowed: a column"):
        open_destination(there, there.params.activations[0])


EXISTING = [
    ("name VARCHAR(40)", "win_back has no column email; its columns: customer_no, name$"),
    ("email INTEGER", "win_back.email is int.*, which takes whole numbers; text are to go into it"),
    ("email VARCHAR(200), decile DATE", "win_back.decile is date, which takes days; whole numbers are to go into it"),
    ("email VARCHAR(200), decile VARCHAR(2)", ""),
    ("email TEXT, decile DECIMAL(4, 1)", ""),
]


def test_the_columns_of_a_table_that_is_there(workbook: Workbook, server: Server) -> None:
    columns = {"customer_id": "customer_no", "email": "email", "decile_12_months": "decile"}
    there = changed(workbook, **destination(columns=columns))
    place = open_destination(there, there.params.activations[0])
    assert place.check() == "the database answers; win_back is created by the first delivery"
    for table, said in EXISTING:
        server.run(
            f"DROP TABLE IF EXISTS win_back; CREATE TABLE win_back (customer_no VARCHAR(40) PRIMARY KEY, {table});"
        )
        if said:
            with pytest.raises(DestinationError, match=f"(?i){said}"):
                place.check()
        else:
            assert place.check() == "the database answers; win_back has the 3 columns"


def test_a_delivery_that_a_table_does_not_take_goes_on_once_it_does(workbook: Workbook, sqlite_server: Server) -> None:
    sqlite_server.run("CREATE TABLE win_back (customer_no TEXT PRIMARY KEY, decile TEXT);")
    options = destination(columns={"customer_id": "customer_no", "email": "email"})
    with pytest.raises(DestinationError, match="win_back has no column email"):
        activated(workbook, **options)
    assert sqlite_server.rows("SELECT * FROM win_back") == []
    sqlite_server.run("ALTER TABLE win_back ADD COLUMN email TEXT;")
    assert activated(workbook, **options).outcome == "finished an interrupted run"
    assert written(sqlite_server).keys() == sent(workbook)


def table_and_part(
    workbook: Workbook, folder: Path, rows: list[tuple[str, str, int]], **changes: Any
) -> tuple[Destination, Part]:
    """A destination without an activation, and a part with these rows as it would be spooled."""
    columns = {"customer_id": "customer_no", "email": "email", "purchases": "purchases"}
    there = changed(workbook, **destination(columns=columns, **changes))
    run = Run("r", "win-back", "best_now_quiet", "email_team", dt.date(2025, 1, 1), dt.datetime(2025, 1, 1), 1)
    part = Part(run, 1, folder / "1.part")
    frame = pd.DataFrame(rows, columns=list(columns.values()))
    frame.assign(_customer=frame["customer_no"], _membership="realized").to_parquet(part.spool)
    return open_destination(there, there.params.activations[0]), part


def test_letters_arrive_as_they_are(workbook: Workbook, server: Server, tmp_path: Path) -> None:
    rows = [("a", "é@x.com", 1), ("A", "e@x.com", 2), ('it\'s \\ "it" %s $1 ?', "🎂@x.com", -(2**60)), ("NULL", "", 0)]
    place, part = table_and_part(workbook, tmp_path, rows)
    assert place.deliver(part) == Outcome()
    found = server.rows("SELECT customer_no, email, purchases FROM win_back")
    assert sorted(tuple(row.values()) for row in found) == sorted(rows)


def test_a_row_that_does_not_fit_is_rejected_and_stops_no_other(
    workbook: Workbook, server: Server, tmp_path: Path
) -> None:
    server.run("CREATE TABLE win_back (customer_no VARCHAR(9) PRIMARY KEY, email VARCHAR(9), purchases DECIMAL(3));")
    rows = [("a", "a@x.com", 1), ("b", "far_too_long@x.com", 1), ("c", "c\0@x.com", 1), ("d", "d@x.com", 1000)]
    place, part = table_and_part(workbook, tmp_path, rows)
    assert place.recover(part) is None
    done = place.deliver(part)
    assert done.rejected.keys() == {"b", "c", "d"}
    assert done.rejected["b"] == "email has more than 9 letters"
    assert done.rejected["d"].startswith("purchases does not go into DECIMAL(3")
    assert written(server).keys() == {"a", "b", "c", "d"} - done.rejected.keys()
    assert place.recover(part) == done


def test_an_id_that_is_no_number_for_a_key_of_numbers(workbook: Workbook, sqlite_server: Server) -> None:
    sqlite_server.run("CREATE TABLE win_back (customer_no INTEGER PRIMARY KEY);")
    done = activated(workbook, **destination(columns={"customer_id": "customer_no"}))
    assert (done.delivered, done.rejected) == (0, done.to_send)  # M0000001 is none
    assert sqlite_server.rows("SELECT * FROM win_back") == []


def test_a_part_that_has_arrived_arrives_no_second_time(workbook: Workbook, server: Server) -> None:
    """As after a kill between the database's commit and ours: the ledger says intended, the database has it."""
    done = activated(workbook, **destination())
    before = written(server)
    with workbook.engine.write() as session:
        session.run("UPDATE activation.ledger SET status = 'intended'")
        session.run("UPDATE activation.delivery_run SET status = 'open'")
    server.run("UPDATE win_back SET email = 'theirs';")
    again = activated(workbook, **destination())
    assert (again.outcome, again.run_id, again.delivered) == ("finished an interrupted run", done.run_id, len(before))
    assert {row["email"] for row in written(server).values()} == {"theirs"}
    assert len(server.rows("SELECT * FROM clv_delivery")) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": {"email": "email"}}, "columns is without customer_id; allowed: with it"),
        ({"arm_column": "email"}, "the column 'email' is given twice"),
        ({"database": "mysql://shop:secret@db/shop"}, "is an address with a password; allowed: the address, or"),
        ({"table": "a.b.c"}, "table is 'a.b.c'"),
        ({"leavers": "keep"}, "leavers is 'keep'; allowed: 'delete' or 'mark'"),
    ],
)
def test_params_that_do_not_fit(workbook: Workbook, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamsError, match=said):
        changed(workbook, **destination(**changes))


def test_a_table_that_is_gone(workbook: Workbook, sqlite_server: Server) -> None:
    activated(workbook, **destination())
    sqlite_server.run("DROP TABLE win_back;")
    leave(workbook, f"customer_id = '{min(sent(workbook))}'")
    with pytest.raises(
        DestinationError, match="win_back is gone, with what was written to it before; allowed: restored"
    ):
        activated(workbook, **destination())
    assert sqlite_server.rows("SELECT name FROM sqlite_master WHERE name = 'win_back'") == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://shop:canary@127.0.0.1:9/shop", "127.0.0.1:9 does not answer"),
        ("oracle://shop:canary@127.0.0.1/shop", "is of the kind oracle://"),
        (None, "the environment variable WAREHOUSE_DSN is not set"),
    ],
)
def test_a_database_that_does_not_answer(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch, address: str | None, said: str
) -> None:
    if address:
        monkeypatch.setenv("WAREHOUSE_DSN", address)
    there = changed(workbook, **destination())
    with pytest.raises(DestinationError, match=said) as raised:
        open_destination(there, there.params.activations[0]).check()
    assert "canary" not in str(raised.value)


# Notes each change of the table, and takes so long for it that a kill falls into a transaction.
WATCHED = {
    "postgres": """
        CREATE TABLE seen (customer_no TEXT, what TEXT);
        CREATE FUNCTION see() RETURNS TRIGGER LANGUAGE plpgsql AS $$
        BEGIN PERFORM PG_SLEEP(0.004); INSERT INTO seen VALUES (NEW.customer_no, TG_OP); RETURN NEW; END $$;
        CREATE TRIGGER see AFTER INSERT OR UPDATE ON win_back FOR EACH ROW EXECUTE FUNCTION see();
    """,
    "mariadb": """
        CREATE TABLE seen (customer_no VARCHAR(40), what VARCHAR(6));
        DELIMITER //
        CREATE TRIGGER see AFTER INSERT ON win_back FOR EACH ROW
        BEGIN DO SLEEP(0.004); INSERT INTO seen VALUES (NEW.customer_no, 'INSERT'); END//
        CREATE TRIGGER see_again AFTER UPDATE ON win_back FOR EACH ROW
        INSERT INTO seen VALUES (NEW.customer_no, 'UPDATE')//
        DELIMITER ;
    """,
}
MANY = often(20, 6)


@pytest.mark.slow
@pytest.mark.parametrize("running", list(WATCHED), indirect=True)
def test_killed_at_any_moment(workbook: Workbook, server: Server, request: pytest.FixtureRequest) -> None:
    """Every customer is written once, whatever is killed: none is missing, and none is written again."""
    everyone_in(workbook, limit=260)
    params = destination(rows_per_transaction=60)["destinations.email_team"]
    with trials(workbook, {"destinations.email_team": params}, "table") as made:
        server.run(WATCHED[request.node.callspec.params["running"]])
        made.seconds += 0.004 * len(made.people)
        killed = 0
        for _ in range(MANY):
            made.reset()
            server.run("DELETE FROM win_back; DELETE FROM clv_delivery; DELETE FROM seen;")
            killed += made.kill() > 0
            made.finish()
            seen = Counter((row["customer_no"], row["what"]) for row in server.rows("SELECT * FROM seen"))
            assert seen == Counter((customer, "INSERT") for customer in made.people)
            assert written(server).keys() == made.people
            assert set(made.workbook.query("activation.ledger")["status"]) == {"delivered"}
        assert killed * 3 >= MANY
