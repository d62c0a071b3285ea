"""RFM scores and segments against a table made by hand, and an independent version in pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clv_helpers import derived, ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse
from clv_helpers.models.table_file import SQL_FOLDER, read_table
from conftest import write_shop

# Recency down, the mean of frequency and monetary across, as docs/deciles.md has it.
GRID = {
    5: ["new", "potential loyalists", "potential loyalists", "champions", "champions"],
    4: ["promising", "potential loyalists", "potential loyalists", "loyal", "loyal"],
    3: ["about to sleep", "about to sleep", "need attention", "loyal", "loyal"],
    2: ["hibernating", "hibernating", "at risk", "at risk", "cannot lose them"],
    1: ["lost", "hibernating", "at risk", "at risk", "cannot lose them"],
}
SCORES = ["recency_score", "frequency_score", "monetary_score"]


def scored(tmp_path: Path, bought: dict[str, list[tuple[str, float]]]) -> pd.DataFrame:
    """A workbook of these purchases; its RFM scores and segments by customer."""
    lines = [f"{who},{day},{spent}" for who, days in bought.items() for day, spent in days]
    workbook = Workbook.open(write_shop(tmp_path, csv="\n".join(["customer,day,spent", *lines, ""])))
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    found = workbook.query("derived.rfm_segment").set_index("customer_id").sort_index()
    profile = workbook.query("profile.customer").set_index("customer_id").sort_index()
    pd.testing.assert_frame_equal(profile[found.columns], found)
    return found


def test_without_ties_scores_are_quintiles(outputs: Path, tmp_path: Path) -> None:
    bought = {f"c{n}": [(f"2024-01-{day:02}", 1.0 + n) for day in range(10 - n, 11)] for n in range(10)}
    for n, days in enumerate(bought.values()):
        days.append((f"2024-02-{n + 1:02}", 1.0))
    found = scored(tmp_path, bought)
    for score in SCORES:
        assert found[score].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert found["rfm_segment"].tolist() == [
        *["lost"] * 2, *["hibernating"] * 2, *["need attention"] * 2, *["loyal"] * 2, *["champions"] * 2,
    ]  # fmt: skip


def test_equal_customers_get_the_same_score(outputs: Path, tmp_path: Path) -> None:
    """Eight of ten bought once: all of them are 1, not spread over four fifths."""
    bought = {f"c{n}": [("2024-01-01", 5.0)] for n in range(8)}
    bought |= {"c8": [("2024-01-01", 5.0), ("2024-01-03", 5.0)], "c9": [("2024-01-01", 9.0), ("2024-01-02", 9.0)]}
    found = scored(tmp_path, bought)
    assert found["frequency_score"].tolist() == [1] * 8 + [5, 5]
    assert found["monetary_score"].tolist() == [1] * 8 + [5, 5]
    assert found["recency_score"].tolist() == [1] * 8 + [5, 5]
    assert found.loc["c8", "rfm_segment"] == "champions"
    assert set(found["rfm_segment"][:8]) == {"lost"}


def test_one_customer_alone_has_no_one_below(outputs: Path, tmp_path: Path) -> None:
    assert scored(tmp_path, {"c": [("2024-01-01", 5.0)]})[SCORES].iloc[0].tolist() == [1, 1, 1]


def test_every_pair_of_scores_has_its_segment(airline: Workbook) -> None:
    """The names as the table in the docs has them, for all 125 scores."""
    query = read_table(SQL_FOLDER / "derived" / "rfm_history.sql").query.copy()
    rows = " UNION ALL ".join(
        f"SELECT '{r}{f}{m}' AS customer_id, 0 AS months_ago, "
        f"{r} AS recency_score, {f} AS frequency_score, {m} AS monetary_score"
        for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)
    )  # fmt: skip
    next(cte for cte in query.ctes if cte.alias == "scored").set("this", parse(rows))
    with airline.engine.read() as session:
        found = session.frame(query)
    assert len(found) == 125
    for row in found.itertuples():
        weight = -(-(row.frequency_score + row.monetary_score) // 2)
        assert row.rfm_segment == GRID[row.recency_score][weight - 1], row
    docs = (Path(__file__).resolve().parents[2] / "docs" / "deciles.md").read_text(encoding="utf-8")
    for recency, names in GRID.items():
        assert f"| **{recency}** | {' | '.join(names)} |" in docs


def test_scores_in_pandas(airline: Workbook) -> None:
    found = airline.query("derived.rfm_segment").set_index("customer_id").sort_index()
    values = airline.query("derived.customer_value").set_index("customer_id").sort_index()
    days = (values["last_purchase_on"] - values["last_purchase_on"].min()).dt.days
    for score, measure in zip(SCORES, (days, values["frequency"], values["spend"].astype(float)), strict=True):
        below = np.searchsorted(np.sort(measure), measure, side="left")
        assert (found[score] == 5 * below // len(measure) + 1).all(), score


def test_segments_add_up_to_all_customers(airline: Workbook) -> None:
    segments = airline.query("derived.value_by_rfm_segment")
    values = airline.query("derived.customer_value")
    assert segments["customers"].sum() == len(values)
    assert segments["value"].sum() == values["value"].sum()
    for share in ("share_of_customers", "share_of_value", "share_of_spend"):
        assert segments[share].sum() == pytest.approx(1)


def test_chart_says_the_finding(airline: Workbook) -> None:
    shares = airline.query("derived.value_by_rfm_segment").set_index("rfm_segment")["share_of_value"].astype(float)
    text = derived.rfm_segments(airline).bundle["text/plain"]
    assert shares[text.partition(":")[0].lower()] > shares.max() - 0.01  # they are rounded
    assert "of the members bring" in text
