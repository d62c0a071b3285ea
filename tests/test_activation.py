"""Only those leave who may be written to, and the waterfall says why the others stay."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from clv_helpers import activation
from clv_helpers.validation import ParamsError
from clv_helpers.workbook import StageSkipped, Workbook


@pytest.fixture
def workbook(airline: Workbook, outputs: Path) -> Workbook:
    """The small airline in a folder of this test's own, as activation writes."""
    with pytest.MonkeyPatch.context():
        copy = Workbook(airline.file, airline.params)
    outputs.mkdir()
    shutil.copytree(airline.engine.lake.parent, copy.folder)
    return copy


def changed(workbook: Workbook, **overrides: object) -> Workbook:
    from conftest import SMALL

    return Workbook.open(workbook.file, overrides={**SMALL, **overrides})


def may_receive(workbook: Workbook) -> set[str]:
    """Who may be written to, worked out in pandas from the raw tables."""
    with workbook.engine.write() as session:
        emails = session.frame("SELECT * FROM lake.email_events")
        members = session.frame("SELECT * FROM lake.members")
    gone = emails[
        emails["event_type"].isin(["unsubscribed", "complained"])
        | ((emails["event_type"] == "bounced") & (emails["bounce_type"] == "hard"))
    ]["membership_number"]
    return set(members[members["email_consent"]]["membership_number"]) - set(gone)


def test_file_holds_exactly_those_who_may_receive(workbook: Workbook) -> None:
    activation.decide(workbook)
    result = activation.export(workbook)[0]
    file = workbook.folder / "exports" / result["file"]
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    audience = workbook.query("audiences.membership", audience="best_now_quiet")["membership_number"]
    expected = set(audience) & may_receive(workbook)
    assert [row["loyalty_id"] for row in rows] == sorted(expected)
    assert 0 < len(expected) < len(audience)
    assert list(rows[0]) == ["loyalty_id", "email", "first_name", "status", "decile"]
    assert all("@" in row["email"] for row in rows)
    ledger = workbook.query("activation.export").iloc[-1]
    assert (ledger["members"], ledger["file"]) == (len(rows), file.name)
    assert not list(file.parent.glob(".*.part"))


def test_waterfall_adds_up(workbook: Workbook) -> None:
    activation.decide(workbook)
    steps = workbook.query("activation.fact_waterfall").set_index("step")["members"]
    assert steps["matched"] == steps.drop("matched").sum()
    assert steps["matched"] == len(workbook.query("audiences.membership", audience="best_now_quiet"))
    assert steps["no consent"] > 0


def test_consent_that_is_not_known_is_no_consent(workbook: Workbook) -> None:
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email_consent = NULL")
    activation.decide(workbook)
    steps = workbook.query("activation.fact_waterfall").set_index("step")["members"]
    assert steps["sent"] == 0
    assert steps["no consent"] == steps["matched"]


def test_missing_attribute_stays_behind(workbook: Workbook) -> None:
    with workbook.engine.write() as session:
        session.run("UPDATE profile.attribute SET email = '  '")
    activation.decide(workbook)
    steps = workbook.query("activation.fact_waterfall").set_index("step")["members"]
    assert steps["sent"] == 0
    assert steps["missing attribute"] > 0


def test_dry_run_writes_nothing(workbook: Workbook) -> None:
    plan = [{"audience": "best_now_quiet", "destination": "email_team", "campaign": "trial"}]
    dry = changed(workbook, activations=plan)
    activation.decide(dry)
    assert activation.export(dry)[0]["file"] == "dry run"
    assert not list(dry.folder.glob("exports/*trial*"))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            {"activations": [{"audience": "nobody", "destination": "email_team", "campaign": "c"}]},
            r"activations\[0\]\.audience is 'nobody'; allowed: best_now_quiet",
        ),
        (
            {"destinations.email_team.columns.shoe_size": "shoe"},
            r"destinations\.email_team is a column 'shoe_size'; allowed: membership_number",
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
    steps = cdnow.query("activation.fact_waterfall").set_index("step")["members"]
    assert steps["sent"] == steps["matched"] == (cdnow.query("profile.member")["decile_lifetime"] <= 2).sum()
