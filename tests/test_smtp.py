"""Messages through a real mail server with STARTTLS: what arrives, what is refused, and what is in doubt."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from activations import activated, changed, sent
from hypothesis import example, given, settings
from hypothesis import strategies as st
from servers import PASSWORD, USER, SmtpServer, smtp_server

from clv_helpers import activation
from clv_helpers.activation.destination import CUSTOMER, open_destination
from clv_helpers.activation.smtp import Smtp
from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook

NAME = "destinations.email_team"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmtpServer:
    monkeypatch.setenv("CLV_TEST_SECRET", PASSWORD)
    with smtp_server(tmp_path) as running:
        yield running


def message(server: SmtpServer, **changes: Any) -> dict[str, Any]:
    return {
        "type": "smtp",
        "columns": {"customer_id": "number", "email": "email", "first_name": "first_name"},
        "mandatory": ["email"],
        "host": "127.0.0.1",
        "port": server.port,
        "ca_file": str(server.ca_file),
        "username": USER,
        "password_variable": "CLV_TEST_SECRET",
        "sender": "Airline <news@example.com>",
        "reply_to": "service@example.com",
        "subject": "We miss you, {{ first_name }}",
        "text": "Dear {{ first_name }},\ncome back. Not wanted? {{ unsubscribe_url }}\n",
        "html": "<p>Dear {{ first_name }}, <a href='{{ unsubscribe_url }}'>no more</a></p>",
        "unsubscribe_url": "https://example.com/u?m={{ number | urlencode }}",
        "messages_per_second": 1000,
        **changes,
    }


def people(workbook: Workbook) -> dict[str, dict[str, str]]:
    """Who is to be sent, by address, as the lake knows them."""
    with workbook.engine.write() as session:
        rows = session.rows(
            "SELECT p.email, p.first_name, p.customer_id FROM activation.decision AS d "
            "JOIN profile.customer AS p ON p.customer_id = d.customer_id WHERE d.outcome = 'sent'"
        )
    return {row["email"]: row for row in rows}


def test_each_person_gets_their_message_once(workbook: Workbook, server: SmtpServer) -> None:
    person = "Zoë <b>Ærø</b> 🛫"
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET first_name = $name", name=person)
    done = activated(workbook, **{NAME: message(server)})
    wanted = people(workbook)
    assert done.delivered == len(wanted) == len(server.messages) > 10
    for got in server.messages:
        to = wanted[got["To"]]
        link = f"https://example.com/u?m={to['customer_id']}"
        assert got["From"] == "Airline <news@example.com>"
        assert got["Subject"] == f"We miss you, {person}"
        assert got["List-Unsubscribe"] == f"<{link}>"
        assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        text = got.get_body(("plain",)).get_content()
        assert text.splitlines() == [f"Dear {person},", f"come back. Not wanted? {link}"]
        html = got.get_body(("html",)).get_content()
        assert "Zoë &lt;b&gt;Ærø&lt;/b&gt; 🛫" in html
        assert link in html
    assert len({got["Message-ID"] for got in server.messages}) == len(server.messages)
    again = activated(workbook, **{NAME: message(server, subject="Another subject")})
    assert again.outcome == "nothing new"
    assert len(server.messages) == len(wanted)


def test_refused_people_are_listed_and_tried_again(workbook: Workbook, server: SmtpServer) -> None:
    activation.decide(changed(workbook, **{NAME: message(server)}))
    first, second, *_ = sorted(people(workbook))
    server.refused = {first: "550 5.1.1 no such user", second: "450 4.2.1 mailbox busy"}
    done = activated(workbook, **{NAME: message(server)})
    assert done.rejected == 2
    assert {reason.reason for reason in done.reasons} == {"550 5.1.1 no such user", "450 4.2.1 mailbox busy"}
    server.refused = {}
    again = activated(workbook, **{NAME: message(server)})
    assert again.delivered == 2
    assert sorted(server.recipients) == sorted(people(workbook))


@pytest.mark.parametrize(("delivery", "copies"), [("at_most_once", 1), ("at_least_once", 2)])
def test_a_lost_reply_leaves_one_person_in_doubt(
    workbook: Workbook, server: SmtpServer, delivery: str, copies: int
) -> None:
    server.hangs_up_after = 5
    options = {NAME: message(server, delivery=delivery)}
    with pytest.raises(DestinationError, match=r"email_team: the connection to 127\.0\.0\.1 broke"):
        activated(workbook, **options)
    server.hangs_up_after = 10**9
    done = activated(workbook, **options)
    assert done.outcome == "finished an interrupted run"
    assert done.lost_replies == 1
    assert done.in_doubt == (1 if copies == 1 else 0)
    assert sorted(set(server.recipients)) == sorted(people(workbook))
    assert len(server.recipients) == len(people(workbook)) + copies - 1
    assert activated(workbook, **options).outcome == "nothing new"


def test_rate_is_kept(workbook: Workbook, server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between messages add up to what the rate asks, whatever the clock of the test machine does."""
    from clv_helpers.activation import smtp

    waits: list[float] = []
    # of this module alone: the server runs by the clock of this process
    monkeypatch.setattr(smtp, "time", SimpleNamespace(sleep=waits.append, monotonic=lambda: sum(waits)))
    done = activated(workbook, **{NAME: message(server, messages_per_second=4)})
    assert sum(waits) == pytest.approx((done.delivered - 1) / 4)


def test_check_says_what_is_wrong(workbook: Workbook, server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(**changes: Any) -> str:
        there = changed(workbook, **{NAME: message(server, **changes)})
        return open_destination(there, there.params.activations[0]).check()

    assert re.fullmatch(r"127\.0\.0\.1:\d+ answers with TLSv1\.3, signed in as clv", check())
    assert server.messages == []
    with pytest.raises(DestinationError, match="does not let us in: .*certificate verify failed"):
        check(ca_file="")
    with pytest.raises(DestinationError, match="does not let us in: .*Connection refused"):
        check(port=1)
    monkeypatch.setenv("CLV_TEST_SECRET", "wrong")
    with pytest.raises(DestinationError, match="does not let us in: .*535"):
        check()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": "Dear {{ nickname }}"}, "text is asking for 'nickname'; allowed: email, first_name, number, unsub"),
        ({"text": "Dear {{ first_name"}, "text is no template"),
        ({"unsubscribe_url": "http://example.com"}, "unsubscribe_url is 'http://example.com'; allowed: https://"),
        ({"sender": "nobody"}, "sender is 'nobody'; allowed: an address"),
        ({"recipient": "mail"}, "recipient is 'mail'; allowed: one of columns: email, first_name, number"),
        ({"password": "secret"}, "password is not a key; did you mean password_variable?"),
    ],
)
def test_wrong_params_are_named(workbook: Workbook, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ParamsError, match=re.escape(f"destinations.email_team.{says}")):
        changed(workbook, **{NAME: message(SmtpServer(port=25), **changes)})


def test_no_header_can_be_put_in_by_a_name(workbook: Workbook, server: SmtpServer) -> None:
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET first_name = $name", name="A\r\nBcc: eve@example.com")
    done = activated(workbook, **{NAME: message(server)})
    assert done.delivered == len(server.messages) > 0
    assert all(got["Bcc"] is None for got in server.messages)
    assert server.messages[0]["Subject"] == "We miss you, A Bcc: eve@example.com"


def test_an_address_that_cannot_be_one_is_refused_alone(workbook: Workbook, server: SmtpServer) -> None:
    activation.decide(workbook)
    person = min(sent(workbook))
    with workbook.engine.write() as session:
        session.run(
            "UPDATE profile.attribute SET email = $email WHERE customer_id = $person",
            email="a@example.com\nBcc: eve@example.com",
            person=person,
        )
    done = activated(workbook, **{NAME: message(server)})
    assert (done.rejected, done.delivered) == (1, len(server.messages))


INJECTIONS = [
    "=?utf-8?q?=0d=0aReply-To:_evil@evil.com=0d=0a=0d=0aYour_account_is_closed?=",
    "=?utf-8?b?DQpCY2M6IGV2aWxAZXZpbC5jb20=?=",
    "=?utf-8?q?a?= =?utf-8?q?=0aBcc:_evil@evil.com?=",
    "x\r\nBcc: evil@evil.com", "x\nBcc: evil@evil.com", "x\x85Bcc: evil@evil.com", "x\u2028Bcc: evil@evil.com",
    "x\x0bBcc: evil@evil.com", "x\x00", "=?x?q?" + "=0d" * 40 + "?=", "a" * 3000, "=?",
]  # fmt: skip
WORDS = st.text(max_size=12) | st.sampled_from([*INJECTIONS, "=?utf-8?q?", "=0d=0a", "?=", "\r\n", "Bcc: e@evil.com"])
SET = ["From", "To", "Subject", "Reply-To", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version",
       "Content-Type"]  # fmt: skip


@pytest.fixture(scope="module")
def mailer(airline: Workbook) -> Smtp:
    nowhere = message(SimpleNamespace(port=9, ca_file="x"), ca_file="")
    [plan] = changed(airline, **{NAME: nowhere}).params.activations
    return Smtp(changed(airline, **{NAME: nowhere}), plan)


def a_row(**changes: str) -> dict[str, str]:
    return {CUSTOMER: "c1", "number": "c1", "email": "ada@example.com", "first_name": "Ada", **changes}


@given(st.lists(WORDS, max_size=4).map("".join))
@settings(deadline=None, max_examples=300)
@example(INJECTIONS[0])
@example(INJECTIONS[1])
@example(INJECTIONS[2])
def test_a_merged_value_sets_no_header(mailer: Smtp, value: str) -> None:
    """Whatever a name holds: either the message cannot be made, or a receiver reads the headers that were set."""
    try:
        sent = mailer.message(a_row(first_name=value))
    except ValueError:
        return
    for got in (message_from_bytes(sent.as_bytes(), policy=default), message_from_bytes(sent.as_bytes())):
        assert sorted(got.keys()) == sorted(SET)
        assert got["To"] == "ada@example.com"
    assert "no more</a>" in message_from_bytes(sent.as_bytes(), policy=default).get_body(("html",)).get_content()


def test_an_encoded_word_arrives_as_text(mailer: Smtp) -> None:
    assert mailer.message(a_row(first_name=INJECTIONS[0]))["Subject"].startswith("We miss you, = ?utf-8?q?=0d=0aReply")


@pytest.mark.parametrize(
    "address",
    ["a@example.com, b@example.com", "a@example.com b@example.com", "Eve <a@example.com>", "all: a@example.com;",
     "a@example.com\r\nBcc: b@example.com", "=?utf-8?q?a=40b.com?=", "<a@example.com>", "a@b@c", "nobody", "", "a@",
     '"a,b"@example.com', "a@exa\u200bmple.com", "a@example.com\u202e", "a@\uff45xample.com", "a\uff0cb@example.com",
     "a" * 250 + "@example.com"],
)  # fmt: skip
def test_an_address_is_one_address(mailer: Smtp, address: str) -> None:
    with pytest.raises(ValueError, match="the recipient is not one address"):
        mailer.message(a_row(email=address))


def test_an_address_with_letters_of_its_own_stays(mailer: Smtp) -> None:
    assert mailer.message(a_row(email="zoë@exämple.com"))["To"] == "zoë@exämple.com"


@pytest.mark.parametrize("length", [10, 35, 45, 60, 200, 900])
def test_a_link_of_any_length_is_a_link_to_the_receiver(mailer: Smtp, length: int) -> None:
    raw = mailer.message(a_row(number="a" * length)).as_bytes()
    assert f"\r\nList-Unsubscribe: <https://example.com/u?m={'a' * length}>\r\n".encode() in raw


def test_long_names_are_sent(mailer: Smtp) -> None:
    for length in (50, 60, 70, 80, 200):
        for letter in "aß":
            got = mailer.message(a_row(first_name=letter * length, email=f"{'b' * 60}@{'c' * 60}.example.com"))
            read = message_from_bytes(got.as_bytes(), policy=default)
            assert read["Subject"].strip() == f"We miss you, {letter * length}"


def test_a_link_that_no_line_holds_is_said(mailer: Smtp) -> None:
    with pytest.raises(ValueError, match="unsubscribe_url is no address that fits on a line"):
        mailer.message(a_row(number="a" * 1000))


@pytest.mark.parametrize("field", ["number", "number | urlencode"])
def test_what_is_merged_into_the_unsubscribe_address_is_quoted_once(airline: Workbook, field: str) -> None:
    server, url = SimpleNamespace(port=9, ca_file="x"), f"https://example.com/u?m={{{{ {field} }}}}&all=1"
    options = {NAME: message(server, ca_file="", unsubscribe_url=url)}
    [plan] = changed(airline, **options).params.activations
    got = Smtp(changed(airline, **options), plan).message(a_row(number="c 1&all=0/../>\r\nBcc: x"))
    quoted = "https://example.com/u?m=c%201%26all%3D0%2F..%2F%3E%0D%0ABcc%3A%20x&all=1"
    assert got["List-Unsubscribe"] == f"<{quoted}>"
    assert quoted in got.get_body(("plain",)).get_content()


def test_rows_of_which_no_message_can_be_made_stop_nobody_else(workbook: Workbook, server: SmtpServer) -> None:
    with workbook.engine.write() as session:
        for value, which in {"email = 'a@'": "MIN", "first_name = ''": "MAX"}.items():
            session.run(
                f"UPDATE profile.attribute SET {value} WHERE customer_id = "
                f"(SELECT {which}(customer_id) FROM activation.decision WHERE outcome = 'sent')"
            )
    text = "{{ 1 / (first_name | length) }} {{ unsubscribe_url }}"
    done = activated(workbook, **{NAME: message(server, text=text)})
    assert [(each.reason, each.customers) for each in done.reasons] == [
        ("the message cannot be made: division by zero", 1),
        ("the message cannot be made: the recipient is not one address", 1),
    ]
    assert done.delivered == len(server.messages) == done.to_send - 2 > 0


def test_a_reason_does_not_repeat_the_address(workbook: Workbook, server: SmtpServer) -> None:
    activation.decide(changed(workbook, **{NAME: message(server)}))
    first, second, *_ = sorted(people(workbook))
    server.refused = {each: f"550 5.1.1 <{each.upper()}>: no such user" for each in (first, second)}
    done = activated(workbook, **{NAME: message(server)})
    assert [(each.reason, each.customers) for each in done.reasons] == [("550 5.1.1 <…>: no such user", 2)]


def test_who_may_have_got_it_is_in_doubt_after_a_drop_also_where_it_would_be_sent_again(
    workbook: Workbook, server: SmtpServer
) -> None:
    server.hangs_up_after = 3
    options = {NAME: message(server, delivery="at_least_once")}
    with pytest.raises(DestinationError):
        activated(workbook, **options)
    [plan] = activation.planned(changed(workbook, **options), "win-back")
    assert activation.drop(changed(workbook, **options), plan).in_doubt == 1


def test_no_address_stays_on_the_disk_after_a_failure_and_a_run_can_be_dropped(
    workbook: Workbook, server: SmtpServer
) -> None:
    server.hangs_up_after = 3
    options = {NAME: message(server)}
    with pytest.raises(DestinationError):
        activated(workbook, **options)
    folder = workbook.folder / "activation"
    left = [file for file in folder.rglob("*") if file.is_file()]
    assert left, "the journal of a run that is open"
    assert not [file for file in left if b"@" in file.read_bytes()]
    [plan] = activation.planned(changed(workbook, **options), "win-back")
    dropped = activation.drop(changed(workbook, **options), plan)
    assert dropped.outcome == "dropped"
    assert dropped.in_doubt == 1
    assert dropped.withdrawn == dropped.to_send - dropped.delivered - 1 > 0
    assert not [file for file in folder.rglob("*") if file.is_file() and file.suffix in (".part", ".jsonl")]
    server.hangs_up_after = 10**9
    again = activation.activate(changed(workbook, **options), plan, accept_change=True)
    assert again.delivered == dropped.withdrawn, "who got it, and who may have got it, gets it no more"
