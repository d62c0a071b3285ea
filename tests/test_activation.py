"""Only those leave who may be written to; the waterfall says why the others stay, and sums exactly."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from activations import changed, plan, sent, steps

from clv_helpers import activation, ingest
from clv_helpers.activation import ActivationResult, ledger
from clv_helpers.activation.destination import Run
from clv_helpers.activation.ledger import Reason
from clv_helpers.config.destinations import DestinationParams
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import StageSkipped, Workbook
from clv_helpers.engines.dialect import parse
from clv_helpers.engines.session import Session
from clv_helpers.report.content import Content, Section, _add_output

EMAIL = {"from": "email", "identity": "Email"}


def may_receive(workbook: Workbook) -> set[str]:
    """Who may be written to, worked out in pandas from the raw tables."""
    with workbook.engine.write() as session:
        emails = session.frame("SELECT * FROM lake.email_events")
        customers = session.frame("SELECT * FROM lake.customers")
    gone = emails[
        emails["event_type"].isin(["unsubscribed", "complained"])
        | ((emails["event_type"] == "bounced") & (emails["bounce_type"] == "hard"))
    ]["customer_id"]
    return set(customers[customers["email_consent"]]["customer_id"]) - set(gone)


def decided(workbook: Workbook) -> pd.DataFrame:
    """The decision, beside the profile as it is in the lake."""
    with workbook.engine.write() as session:
        return session.frame(
            "SELECT * EXCLUDE (decile) FROM activation.decision JOIN profile.customer USING (customer_id)"
        )


def test_file_holds_exactly_those_who_may_receive(workbook: Workbook) -> None:
    activation.decide(workbook)
    result = activation.activate(workbook, workbook.params.activations[0])
    file = workbook.folder / "exports" / result.files[0].name
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    audience = workbook.query("audiences.membership", audience="best_now_quiet")["customer_id"]
    control = workbook.query("activation.assignment", arm="control")["customer_id"]
    expected = (set(audience) & may_receive(workbook)) - set(control)
    assert [row["loyalty_id"] for row in rows] == sorted(expected)
    assert 0 < len(expected) < len(audience)
    assert list(rows[0]) == ["loyalty_id", "email", "first_name", "status", "decile"]
    assert all("@" in row["email"] for row in rows)
    assert not list(file.parent.glob(".*.part"))


@pytest.mark.parametrize(("code", "stays"), [("5.1.1", True), ("550 5.1.10", True), ("5.7.1", False), ("4.2.2", False)])
def test_a_bounce_known_by_its_code_alone(workbook: Workbook, code: str, stays: bool) -> None:
    activation.decide(workbook)
    someone = min(sent(workbook))
    with workbook.engine.write() as session:
        session.run(
            "INSERT INTO lake.email_events "
            "(message_id, campaign, customer_id, event_type, occurred_at, bounce_code) "
            "VALUES ('m', 'before', $someone, 'bounced', $at, $code)",
            someone=someone,
            at=dt.datetime(2024, 12, 1),
            code=code,
        )
        session.run("DROP TABLE activation.suppression")
    activation.decide(workbook)
    assert (someone not in sent(workbook)) == stays


def test_waterfall_adds_up(workbook: Workbook) -> None:
    activation.decide(workbook)
    customers = steps(workbook)
    assert customers["matched"] == sum(count for step, count in customers.items() if step != "matched")
    assert customers["matched"] == len(workbook.query("audiences.membership", audience="best_now_quiet"))
    assert customers["no consent"] > 0
    assert customers["suppressed"] + customers["bounced"] > 0
    assert customers["control"] > 0


def test_consent_that_is_not_known_is_no_consent(workbook: Workbook) -> None:
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email_consent = NULL")
    activation.decide(workbook)
    assert steps(workbook)["sent"] == 0
    assert steps(workbook)["no consent"] == steps(workbook)["matched"]


def test_an_unsubscription_counts_at_once_even_after_as_of(workbook: Workbook, tmp_path: Path) -> None:
    workbook = changed(workbook, as_of="2024-11-01")
    activation.decide(workbook)
    person = min(sent(workbook))
    file = tmp_path / "unsubscribed.csv"
    file.write_text(
        "event_id,message_id,campaign,audience,membership_number,event_type,occurred_at,bounce_type,bounce_code,"
        "url,user_agent,ip_class\n"
        f"late-1,m-late,newsletter,,{person},unsubscribed,2024-12-15 10:00:00,,,,,\n"
    )
    ingest.ingest_files(workbook, "email_events", [file])
    activation.decide(workbook)
    assert person not in sent(workbook)
    assert list(workbook.query("activation.decision", customer_id=person)["outcome"]) == ["suppressed"]


def test_a_consent_withdrawn_in_a_new_batch_counts_at_once(workbook: Workbook, tmp_path: Path) -> None:
    activation.decide(workbook)
    person = min(sent(workbook))
    file = tmp_path / "customers.csv"
    headers = "membership_number,email,first_name,last_name,region,joined_on,email_consent,channel"
    file.write_text(f"{headers}\n{person},{person}@example.com,,,,,false,\n")
    ingest.ingest_files(workbook, "customers", [file])
    activation.decide(workbook)
    assert list(workbook.query("activation.decision", customer_id=person)["outcome"]) == ["no consent"]


def test_missing_attribute_stays_behind(workbook: Workbook) -> None:
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email = '  '")
    activation.decide(workbook)
    assert steps(workbook)["sent"] == 0
    assert steps(workbook)["missing attribute"] > 0


def test_of_duplicates_one_leaves(workbook: Workbook) -> None:
    """Half of the customers share an address with another; whoever lacks one is nobody's duplicate."""
    with workbook.engine.write() as session:
        session.run(
            "UPDATE profile.attribute SET email = CASE "
            "WHEN RIGHT(customer_id, 1) IN ('0', '1') THEN NULL "
            "WHEN RIGHT(customer_id, 1) IN ('2', '3', '4') THEN 'Same@example.com ' "
            "WHEN RIGHT(customer_id, 1) = '5' THEN 'same@example.com' ELSE email END"
        )
    for key in ({"attributes": ["email"]}, {"attributes": ["email", "region"]}):
        workbook = changed(
            workbook, **{"destinations.email_team.deduplicate": key, "destinations.email_team.mandatory": []}
        )
        activation.decide(workbook)
        people = decided(workbook)
        people = people[people["outcome"].isin(["sent", "duplicates"])]
        people["key"] = people["email"].str.strip().str.lower()
        with_key = people.dropna(subset=["key"])
        groups = with_key.groupby(["key", *key["attributes"][1:]], dropna=False)["outcome"]
        assert (groups.apply(lambda outcomes: (outcomes == "sent").sum()) == 1).all()
        assert (people[people["key"].isna()]["outcome"] == "sent").all()
        assert (people["outcome"] == "duplicates").sum() > 0


def test_the_latest_purchase_decides_between_duplicates(workbook: Workbook) -> None:
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email = 'one@example.com'")
    workbook = changed(workbook, **{"destinations.email_team.deduplicate": {"attributes": ["email"]}})
    activation.decide(workbook)
    people = decided(workbook)
    people = people[people["outcome"].isin(["sent", "duplicates"])]
    winner = people[people["outcome"] == "sent"]
    assert len(winner) == 1
    assert winner["last_purchase_on"].iloc[0] == people["last_purchase_on"].max()


def test_an_identity_may_occur_once(workbook: Workbook) -> None:
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email = 'one@example.com'")
    channel = {"from": "channel", "type": "text"}
    columns = {"customer_id": "customer_id", "email": EMAIL, "channel": channel}
    with_identity = {"sources.customers.columns": columns}
    options = {**with_identity, "destinations.email_team.deduplicate": {"identity": "Email"}}
    activation.decide(changed(workbook, **options))
    assert len(sent(workbook)) == 1


def test_the_latest_qualification_decides_between_duplicates(workbook: Workbook) -> None:
    activation.decide(workbook)
    latest = max(sent(workbook))
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email = 'one@example.com'")
        session.run("UPDATE audiences.membership_period SET last_qualified_at = last_qualified_at - INTERVAL 30 DAY")
        session.run(
            "UPDATE audiences.membership_period SET last_qualified_at = last_qualified_at + INTERVAL 1 DAY "
            "WHERE customer_id = $latest",
            latest=latest,
        )
    activation.decide(changed(workbook, **{"destinations.email_team.deduplicate": {"attributes": ["email"]}}))
    assert sent(workbook) == {latest}


def test_what_was_delivered_counts_before_its_events_come_back(workbook: Workbook) -> None:
    cap = {"messages": 1, "days": 30}
    both = [plan(campaign="first"), plan(campaign="second", frequency_cap=cap)]
    workbook = changed(workbook, activations=both)
    activation.activate(workbook, workbook.params.activations[0])
    activation.decide(workbook)
    decisions = workbook.query("activation.decision", campaign="second")
    got = set(workbook.query("activation.ledger", campaign="first", status="delivered")["customer_id"])
    assert got
    assert got <= set(decisions[decisions["outcome"] == "capped"]["customer_id"])
    assert set(decisions["outcome"]) <= {"no consent", "suppressed", "bounced", "capped"}


def test_frequency_cap_counts_messages_of_other_campaigns(workbook: Workbook) -> None:
    """Against a count in pandas over the raw events."""
    activation.decide(workbook)
    passed = sent(workbook) | set(workbook.query("activation.decision", outcome="control")["customer_id"])
    with workbook.engine.write() as session:
        events = session.frame("SELECT * FROM lake.email_events")
        as_of = pd.Timestamp(workbook.as_of(session))
    first = events.groupby(["customer_id", "campaign", "message_id"])["occurred_at"].min().reset_index()
    recent = first[(first["occurred_at"] >= as_of - pd.Timedelta(days=199)) & (first["campaign"] != "win-back")]
    counts = recent.groupby("customer_id").size().reindex(sorted(passed), fill_value=0)
    cap = {"messages": int(counts.median()) + 1, "days": 200}
    expected = set(counts[counts >= cap["messages"]].index)
    assert 0 < len(expected) < len(passed)
    capping = changed(workbook, activations=[plan(frequency_cap=cap)])
    activation.decide(capping)
    assert set(capping.query("activation.decision", outcome="capped")["customer_id"]) == expected


def test_dry_run_writes_nothing(workbook: Workbook) -> None:
    dry = changed(workbook, activations=[plan(campaign="trial")])
    activation.decide(dry)
    assert activation.activate_planned(dry)[0].outcome == "dry run"
    assert not list(dry.folder.glob("exports/*trial*"))
    for name in ("ledger", "delivery_run", "assignment"):
        assert dry.query(f"activation.{name}").empty


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            {"activations": [plan(audience="nobody")]},
            r"activations\[0\]\.audience is 'nobody'; allowed: best_now_quiet",
        ),
        (
            {"destinations.email_team.columns.shoe_size": "shoe"},
            r"destinations\.email_team is a column 'shoe_size'; allowed: customer_id",
        ),
        (
            {"destinations.email_team.deduplicate": {"identity": "Passport"}},
            r"deduplicate\.identity is 'Passport'; allowed: LoyaltyNumber",
        ),
    ],
)
def test_wrong_plan_is_named(workbook: Workbook, overrides: dict, says: str) -> None:
    with pytest.raises(ParamsError, match=says):
        activation.decide(changed(workbook, **overrides))


def test_nothing_planned_skips_the_stage(workbook: Workbook) -> None:
    with pytest.raises(StageSkipped, match="plans no activation"):
        activation.decide(changed(workbook, activations=[]))


def test_cdnow_sends_its_best_customers(cdnow: Workbook) -> None:
    customers = steps(cdnow)
    assert customers["sent"] == customers["matched"] == (cdnow.query("profile.customer")["decile_lifetime"] <= 2).sum()


def test_example_rows_name_nobody_and_stay_out_of_reports(workbook: Workbook) -> None:
    activation.decide(workbook)
    shown = activation.examples(workbook).bundle["text/html"]
    customers = workbook.query("profile.customer")
    for field in ("customer_id", "email"):
        assert not any(str(value) in shown for value in customers[field].dropna())
    assert shown.partition("<tbody>")[2].count("<tr>") == 5
    in_a_run = Workbook(workbook.file, workbook.params, run="a run")
    assert "<tr>" not in activation.examples(in_a_run).bundle["text/html"]


def test_why_one_is_stopped_and_why_members_were_rejected_reach_the_report(airline: Workbook) -> None:
    reasons = [Reason("550 5.1.1 <a@example.com> no such user", 9), Reason("550 5.1.1 <b@example.com> no such user", 8)]
    results = [
        ActivationResult("spring", "mail", "a", "done", to_send=100, delivered=83, rejected=17, reasons=reasons),
        ActivationResult("autumn", "mail", "a", "dry run", to_send=0, stops="autumn to mail is stopped: nobody"),
    ]
    section, content = Section(5, "Stage 5"), Content()
    for part in activation.done(airline, results).parts:
        _add_output(section, part.bundle, content)
    report = "".join(block.html for block in section.blocks)
    assert "autumn to mail is stopped: nobody" in report
    assert "550 5.1.1 &lt;…&gt; no such user" in report
    assert '<td class="number">15</td>' in report


def test_a_run_goes_on_where_customers_have_a_status_of_their_own() -> None:
    run = Run("r", "spring", "all", "mail", dt.date(2025, 1, 1), dt.datetime(2025, 1, 1), 1)
    with duckdb.connect() as connection:
        session = Session(connection)
        ledger.create_tables(session)
        session.create_table("profile.customer", parse("SELECT 'C1' AS customer_id, 'gold' AS status, 1 AS part"))
        decision = "SELECT 'spring' AS campaign, 'mail' AS destination, 'C1' AS customer_id, 'sent' AS outcome"
        session.create_table("activation.decision", parse(decision))
        session.run(
            "INSERT INTO activation.ledger (campaign, destination, customer_id, run_id, part, membership, status) "
            "VALUES ('spring', 'mail', 'C1', 'r', 1, 'realized', 'intended')"
        )
        ledger.withdraw(session, run, DestinationParams(type="files", columns={"status": "tier"}))
        (row,) = session.rows("SELECT status, row_hash FROM activation.ledger")
    assert row["status"] == "intended"
    assert len(row["row_hash"]) == 32


def test_views_speak_in_the_words_of_the_business(workbook: Workbook) -> None:
    in_shop = changed(workbook, **{"words": {"customer": "guest", "purchase": "stay"}})
    for there, word in ((workbook, "members"), (in_shop, "guests")):
        activation.decide(there)
        assert f" {word} are sent the campaign win-back" in str(activation.chart(there).bundle)
        assert f" {word} are control" in str(activation.control(there).bundle)
