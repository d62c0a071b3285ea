"""The whole circle: run, activate, responses arrive, refresh, results, recommended audience, activate; once each."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from activations import everyone_in, plan
from source_files import write_source

from clv_helpers import activation, audiences, campaigns, ingest
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.config.yaml_files import SpecChanged
from conftest import SMALL

SENT_AT = dt.datetime(2025, 1, 1, 8)


def opened(folder: Path, *activations: dict) -> Workbook:
    """The small airline with its params in the test's own folder, where an audience can be written."""
    changes = {**SMALL, "min_cell": 5, "activations": [*activations], "campaigns": {"win-back": {"window_days": 14}}}
    return Workbook.open(folder / "airline.yml", overrides=changes)


def responses(delivered: list[str]) -> pd.DataFrame:
    """What comes back: each message sent and delivered, every third opened by a person."""
    rows = [
        {
            "event_id": f"w-{customer}-{kind}",
            "message_id": f"win-back-{customer}",
            "campaign": "win-back",
            "audience": "best_now_quiet",
            "customer_id": customer,
            "event_type": kind,
            "occurred_at": SENT_AT + dt.timedelta(minutes=minutes),
            "user_agent": "Mozilla/5.0 (X11)",
        }
        for index, customer in enumerate(delivered)
        for kind, minutes in (("sent", 0), ("delivered", 1), ("opened", 60))
        if kind != "opened" or index % 3 == 0
    ]
    return pd.DataFrame(rows)


def flights(treated: list[str], control: list[str], last_day: int) -> pd.DataFrame:
    """Purchases in the days after: of the treated four of five fly, of the control group every tenth."""
    rng = np.random.default_rng(3)
    flown = [customer for customer in treated if rng.random() < 0.8] + [m for m in control if rng.random() < 0.1]
    return pd.DataFrame(
        {
            "event_id": [f"w-{customer}" for customer in flown],
            "customer_id": flown,
            "occurred_at": [SENT_AT + dt.timedelta(days=int(day)) for day in rng.integers(1, last_day, len(flown))],
            "transaction_type": "STATUS_MILES",
            "category": "FLYER",
            "mileage": 800,
            "amount": np.round(rng.gamma(4, 60, len(flown)), 2),
        }
    )


def test_the_circle_closes_and_nothing_counts_twice(workbook: Workbook, outputs: Path, tmp_path: Path) -> None:
    params = tmp_path / "params"
    shutil.copytree(workbook.specs, params / "airline")
    shutil.copy(workbook.file, params / "airline.yml")
    first = plan(control={"share": 0.3})
    here = opened(params, first)
    everyone_in(here)
    done = activation.activate(here, here.params.activations[0])
    campaigns.build(here)
    assigned = here.query("campaigns.customer_assignment", order_by="customer_id", campaign="win-back")
    arms = {arm: list(rows["customer_id"]) for arm, rows in assigned.groupby("arm")}
    assert done.delivered == len(arms["treated"]) > 250
    early = campaigns.results(here, "win-back")[0]["effects"][0]
    assert "its window of 14 days is open until" in early["sentence"]
    assert "cuped" not in early

    # responses and purchases arrive, and only their batches are folded
    mail = write_source(here, "email_events", responses(arms["treated"]), tmp_path / "responses.csv")
    flown = write_source(here, "purchases", flights(arms["treated"], arms["control"], 14), tmp_path / "flights.csv")
    ingest.ingest_files(here, "email_events", [mail])
    ingest.ingest_files(here, "purchases", [flown])
    modes = {row.table: row.mode for row in campaigns.build(here)}
    assert {modes[name] for name in ("derived.email_message", "derived.email_response", "derived.customer_day")} == {
        "rows"
    }
    record = campaigns.results(here, "win-back")[0]
    rates = {rate["kpi"]: rate for rate in record["rates"] if rate["audience"] == "ALL"}
    assert rates["delivery rate"]["numerator"] == rates["delivery rate"]["denominator"] == done.delivered
    assert rates["open rate"]["numerator"] == -(-done.delivered // 3)
    effect = record["effects"][0]
    assert (effect["treated"], effect["control"]) == (len(arms["treated"]), len(arms["control"]))
    assert effect["conversion"]["estimate"] == pytest.approx(0.7, abs=0.1)
    assert effect["cuped"]["low"] > 0
    assert effect["sample_ratio_p"] > 0.9

    # the same files once more change nothing
    again = [ingest.ingest_files(here, "email_events", [mail])[0], ingest.ingest_files(here, "purchases", [flown])[0]]
    assert [batch.status for batch in again] == ["already ingested"] * 2
    campaigns.build(here)
    assert campaigns.results(here, "win-back")[0] == record

    # the recommended audience, by one call, and an activation of it
    file = campaigns.recommended_audience(here, "win-back", "worth_it")
    assert campaigns.recommended_audience(here, "win-back", "worth_it") == file
    audiences.evaluate(here, "worth_it", "best_now_quiet")
    deciles = {row["decile"] for row in effect["by_decile"] if row["verdict"] == "worth it"}
    rule = audiences.load(here, "worth_it").to_raw()["rule"]["all"]
    assert set(rule[0]["value"]) == deciles
    assert rule[1] == {"audience": "best_now_quiet"}
    second = plan(audience="worth_it", campaign="win-back-2", control={"share": 0.2})
    here = opened(params, first, second)
    customers = set(here.query("audiences.membership", audience="worth_it")["customer_id"])
    activation.decide(here)
    activation.activate(here, here.params.activations[1])
    ledger = here.query("activation.ledger")
    assert not ledger.duplicated(["campaign", "destination", "customer_id"]).any()
    assert set(ledger.loc[ledger["campaign"] == "win-back-2", "customer_id"]) <= customers
    campaigns.build(here)
    assert campaigns.results(here, "win-back")[0]["effects"] == record["effects"]

    # and the command says the same
    command = [Path(sys.executable).with_name("clv"), "results", params / "airline.yml", "win-back", "--json"]
    command += ["--set", "min_cell=5", "--set", "campaigns={win-back: {window_days: 14}}"]
    command += [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    command += ["--set", f"activations={json.dumps([first, second])}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["campaigns"][0]["effects"][0]["cuped"] == record["effects"][0]["cuped"]


def test_unknown_campaign_names_those_that_are_known(airline: Workbook) -> None:
    with pytest.raises(ParamsError, match="the campaign is 'winter'; allowed: winter-fares, status-preview"):
        campaigns.results(airline, "winter")


def test_no_audience_follows_from_what_is_not_known(airline: Workbook) -> None:
    with pytest.raises(campaigns.NoRecommendedAudience, match="winter-fares has no control group"):
        campaigns.recommended_audience(airline, "winter-fares")


def test_a_file_of_another_rule_is_not_overwritten(workbook: Workbook, tmp_path: Path) -> None:
    shutil.copytree(workbook.specs, tmp_path / "airline")
    shutil.copy(workbook.file, tmp_path / "airline.yml")
    here = Workbook.open(tmp_path / "airline.yml", overrides={**SMALL, "min_cell": 5})
    with here.engine.write() as session:  # treated who spend, so that there is something to go on
        session.run("UPDATE campaigns.fact_effect_decile SET verdict = 'worth it'")
        value = {"value_per_message": 2, "value_per_message_low": 1, "value_per_message_high": 3}
        session.run("UPDATE campaigns.fact_effect SET " + ", ".join(f"{name} = {each}" for name, each in value.items()))
    with here.engine.write(publish=True):
        pass
    before = (tmp_path / "airline" / "audiences" / "rising.yml").read_bytes()
    with pytest.raises(SpecChanged, match="rising.yml exists already"):
        campaigns.recommended_audience(here, "double-miles", "rising")
    assert (tmp_path / "airline" / "audiences" / "rising.yml").read_bytes() == before
    with pytest.raises(ParamsError, match="the audience's name is '../x'"):
        campaigns.recommended_audience(here, "double-miles", "../x")
