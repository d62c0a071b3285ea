"""Eloqua's Bulk API against a server that enforces the documented contract; replies get lost, and are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from activations import activated, changed, everyone_in, plan
from eloqua_server import COMPANY, Account, eloqua_server
from servers import PASSWORD, USER

from clv_helpers.activation.destination import open_destination
from clv_helpers.activation.ledger import Reason
from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook

NAME = "destinations.email_team"
LIST = "{{ContactList[7]}}"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("CLV_TEST_SECRET", PASSWORD)
    with eloqua_server() as running:
        yield running


def contacts(account: Account, **changes: Any) -> dict[str, Any]:
    return {
        "type": "eloqua",
        "columns": {"email": "C_EmailAddress", "first_name": "C_FirstName", "decile_lifetime": "C_Decile1"},
        "mandatory": ["email"],
        "base_url": account.url,
        "company": COMPANY,
        "username": USER,
        "password_variable": "CLV_TEST_SECRET",
        "contact_list": 7,
        "rows_per_request": 50,
        "poll_seconds": 0.01,
        "back_off_seconds": 0.01,
        "timeout_seconds": 5,
        **changes,
    }


def wanted(workbook: Workbook) -> dict[str, dict[str, str]]:
    """The contacts that the account should have, from the lake."""
    with workbook.engine.write() as session:
        rows = session.rows(
            "SELECT p.email, p.first_name, p.decile_lifetime FROM activation.decision AS d "
            "JOIN profile.customer AS p ON p.customer_id = d.customer_id WHERE d.outcome = 'sent'"
        )
    headers = ("C_EmailAddress", "C_FirstName", "C_Decile1")
    texts = [["" if value is None else str(value) for value in row.values()] for row in rows]
    return {row[0]: dict(zip(headers, row, strict=True)) for row in texts}


def test_contacts_and_their_list(workbook: Workbook, account: Account) -> None:
    everyone_in(workbook)
    done = activated(workbook, **{NAME: contacts(account)})
    expected = wanted(workbook)
    assert done.delivered == len(expected) > 100
    assert account.contacts == expected
    assert account.lists == {LIST: set(expected)}
    assert len(account.imports) == len(account.syncs) == 1


def test_only_changes_and_exited_follow(workbook: Workbook, account: Account) -> None:
    everyone_in(workbook)
    options = {NAME: contacts(account), "activations": [plan(guards={"max_exited_share": 1})]}
    activated(workbook, **options)
    assert activated(workbook, **options).outcome == "nothing new"
    before = wanted(workbook)
    leaving, changing, *_ = sorted(before)
    account.taken_in.clear()
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email_consent = NULL WHERE email = $email", email=leaving)
        session.run("UPDATE profile.attribute SET first_name = 'New' WHERE email = $email", email=changing)
    done = activated(workbook, **options)
    assert account.taken_in == {leaving: 1, changing: 1}
    assert done.delivered == 2
    assert account.contacts[changing]["C_FirstName"] == "New"
    assert account.lists[LIST] == set(before) - {leaving}


def test_rejected_rows_are_listed_and_tried_again(workbook: Workbook, account: Account) -> None:
    everyone_in(workbook)
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email = 'no address' WHERE RIGHT(customer_id, 2) = '11'")
    options = {NAME: contacts(account)}
    done = activated(workbook, **options)
    broken = len(workbook.query("activation.ledger", status="rejected"))
    assert done.rejected == broken > 0
    assert done.reasons == [Reason("ELQ-00002 Invalid email addresses.", broken)]
    assert set(account.contacts) == set(wanted(workbook)) - {"no address"}
    with workbook.engine.write() as session:
        session.run(
            "UPDATE profile.attribute SET email = LOWER(customer_id) || '@example.com' WHERE email = 'no address'"
        )
    again = activated(workbook, **options)
    assert (again.delivered, again.rejected) == (broken, 0)
    assert set(account.contacts) == set(wanted(workbook))


@pytest.mark.parametrize("wrong", ["429", "503", "503 done", "hang up"])
@pytest.mark.parametrize("call", range(1, 9))
def test_a_call_that_goes_wrong_is_repeated(airline: Workbook, account: Account, wrong: str, call: int) -> None:
    """Each call in turn: refused, failed, or carried out and the reply lost. Nobody is taken in twice."""
    account.misbehaves = ["fine"] * (call - 1) + [wrong, wrong]
    part, destination = prepared(airline, account)
    outcome = destination.deliver(part)
    assert account.misbehaves == []
    emails = {row["C_EmailAddress"] for row in part.rows()}
    assert outcome.rejected == {}
    assert account.taken_in == dict.fromkeys(emails, 1)


def prepared(workbook: Workbook, account: Account) -> tuple[Any, Any]:
    """A part of twelve people, prepared without a run in the ledger: the calls alone are looked at."""
    import datetime as dt
    import tempfile
    from pathlib import Path

    import duckdb

    from clv_helpers.activation.destination import Part, Run

    there = changed(workbook, **{NAME: contacts(account, rows_per_request=4)})
    run = Run("trial", "win-back", "best_now_quiet", "email_team", dt.date(2025, 1, 1), dt.datetime(2025, 1, 1), 1)
    spool = Path(tempfile.mkdtemp()) / "1.part"
    rows = "SELECT 'p' || i || '@example.com' AS C_EmailAddress, 'N' AS C_FirstName, '1' AS C_Decile1, "
    rows += "'M' || i AS _customer, 'realized' AS _membership FROM range(12) AS r(i)"
    duckdb.sql(rows).write_parquet(str(spool))
    return Part(run, 1, spool), open_destination(there, there.params.activations[0])


def test_a_server_that_stays_down_is_said_and_the_run_goes_on_later(workbook: Workbook, account: Account) -> None:
    account.misbehaves = ["503"] * 3
    options = {NAME: contacts(account, attempts=3)}
    with pytest.raises(DestinationError, match="503 Service Unavailable"):
        activated(workbook, **options)
    account.misbehaves = []
    done = activated(workbook, **options)
    assert done.outcome == "finished an interrupted run"
    assert set(account.contacts) == set(wanted(workbook))


def test_who_loses_consent_before_a_run_goes_on_is_withdrawn(workbook: Workbook, account: Account) -> None:
    account.misbehaves = ["503"] * 2
    options = {NAME: contacts(account, attempts=2)}
    with pytest.raises(DestinationError):
        activated(workbook, **options)
    person = min(workbook.query("activation.decision", outcome="sent")["customer_id"])
    with workbook.engine.write() as session:
        email = session.scalar("SELECT email FROM profile.customer WHERE customer_id = $m", m=person)
        session.run("UPDATE profile.attribute SET email_consent = FALSE WHERE customer_id = $m", m=person)
        session.run("UPDATE profile.attribute SET first_name = 'Newer' WHERE customer_id <> $m", m=person)
    done = activated(workbook, **options)
    assert done.withdrawn == 1
    assert email not in account.contacts
    assert account.contacts == wanted(workbook)
    assert {contact["C_FirstName"] for contact in account.contacts.values()} == {"Newer"}
    assert activated(workbook, **options).outcome == "nothing new"


def test_a_failed_sync_is_said_with_its_log(workbook: Workbook, account: Account) -> None:
    account.misbehaves = ["error"]
    with pytest.raises(DestinationError, match=r"the sync failed: There was an error\."):
        activated(workbook, **{NAME: contacts(account)})
    assert account.contacts == {}
    activated(workbook, **{NAME: contacts(account)})
    assert set(account.contacts) == set(wanted(workbook))


def test_check_says_what_is_wrong(workbook: Workbook, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(**changes: Any) -> str:
        there = changed(workbook, **{NAME: contacts(account, **changes)})
        return open_destination(there, there.params.activations[0]).check()

    assert check() == f"{account.url} answers, and has the 3 contact fields"
    with pytest.raises(DestinationError, match="the account has no contact field C_Shoe"):
        check(columns={"email": "C_EmailAddress", "first_name": "C_Shoe"})
    monkeypatch.setenv("CLV_TEST_SECRET", "wrong")
    with pytest.raises(DestinationError, match="GET /contacts/fields gave 401"):
        check()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"base_url": "http://eloqua.example.com"}, "base_url is 'http://eloqua.example.com'; allowed: https://"),
        ({"identifier": "C_Phone"}, "identifier is 'C_Phone'; allowed: one of columns: C_EmailAddress"),
        ({"password": "x"}, "password is not a key; did you mean password_variable?"),
    ],
)
def test_wrong_params_are_named(workbook: Workbook, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ParamsError, match=re.escape(f"destinations.email_team.{says}")):
        changed(workbook, **{NAME: contacts(Account(), **changes)})
