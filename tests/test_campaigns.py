"""Campaign counts against an independent version in pandas."""

from __future__ import annotations

import pandas as pd
import pytest

from clv_helpers import campaigns
from clv_helpers.workbook import StageSkipped, Workbook
from conftest import write_shop


def test_counts_by_campaign_and_audience(airline: Workbook) -> None:
    with airline.engine.write() as session:
        events = session.frame("SELECT * FROM lake.email_events")
    human = (events["event_type"] == "opened") & (events["user_agent"] != "Mozilla/5.0")
    keys = ["campaign", "audience"]

    def messages(rows: pd.DataFrame) -> pd.Series:
        return rows.groupby(keys)["message_id"].nunique()

    expected = pd.DataFrame(
        {
            "sent": messages(events[events["event_type"] == "sent"]),
            "delivered": messages(events[events["event_type"] == "delivered"]),
            "opened": messages(events[human]),
            "opened_with_machines": messages(events[events["event_type"] == "opened"]),
            "clicked": messages(events[events["event_type"] == "clicked"]),
        }
    ).fillna(0)
    found = airline.query("campaigns.fact_campaign_result").set_index(keys).sort_index()
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False)
    assert (found["opened_with_machines"] > found["opened"]).any()
    assert found["open_rate"].dropna().between(0, 1).all()


def test_workbook_without_mail_is_skipped_with_a_reason(outputs, tmp_path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    with pytest.raises(StageSkipped, match=r"no e-mail events \(sources.email_events in its params\)"):
        campaigns.build(workbook)
