"""A finished randomised mailing as one table, of the shape of Hillstrom's public file: through stage 6 alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clv_helpers import campaigns, ingest
from clv_helpers.config.workbook import ROOT, Workbook

PARAMS = ROOT / "params" / "hillstrom.yml"
BANDS = ["1) $0 - $100", "2) $100 - $200", "3) $200 - $350", "4) $350 - $500", "5) $500 - $750", "6) $750 +"]


def mailing(rows: int = 3000) -> pd.DataFrame:
    """Customers of three arms; the men's e-mail makes more buy, the women's none."""
    rng = np.random.default_rng(9)
    history = np.round(np.exp(rng.normal(5, 0.8, rows)), 2)
    segment = rng.choice(["Mens E-Mail", "Womens E-Mail", "No E-Mail"], rows)
    buys = rng.random(rows) < 0.05 + 0.07 * (segment == "Mens E-Mail")
    return pd.DataFrame(
        {
            "recency": rng.integers(1, 13, rows),
            "history_segment": pd.cut(history, [0, 100, 200, 350, 500, 750, 1e9], labels=BANDS).astype(str),
            "history": history,
            "mens": rng.integers(0, 2, rows),
            "womens": rng.integers(0, 2, rows),
            "zip_code": rng.choice(["Surburban", "Urban", "Rural"], rows),
            "newbie": rng.integers(0, 2, rows),
            "channel": rng.choice(["Web", "Phone", "Multichannel"], rows),
            "segment": segment,
            "visit": (buys | (rng.random(rows) < 0.1)).astype(int),
            "conversion": buys.astype(int),
            "spend": np.where(buys, np.round(rng.gamma(2, 60, rows), 2), 0),
        }
    )


@pytest.fixture
def hillstrom(outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbook:
    mailing().to_csv(tmp_path / "hillstrom.csv", index=False)
    monkeypatch.setenv("CLV_DATA_DIR", str(tmp_path))
    return Workbook.open(PARAMS)


def test_each_arm_is_measured_against_the_same_control(hillstrom: Workbook) -> None:
    ingest.ingest_files(hillstrom)
    campaigns.build(hillstrom)
    rows = mailing()
    found = {each["campaign"]: each["effects"][0] for each in campaigns.results(hillstrom)}
    assert set(found) == {"Mens E-Mail", "Womens E-Mail"}
    control = rows[rows["segment"] == "No E-Mail"]
    for arm, effect in found.items():
        treated = rows[rows["segment"] == arm]
        assert (effect["treated"], effect["control"]) == (len(treated), len(control))
        plain = treated["spend"].mean() - control["spend"].mean()
        welch = stats.ttest_ind(treated["spend"], control["spend"], equal_var=False).confidence_interval(0.95)
        # stratified by tenths of what was spent before: near the plain difference, with an interval as wide
        assert effect["revenue"]["estimate"] == pytest.approx(plain, abs=0.5)
        assert effect["revenue"]["high"] - effect["revenue"]["low"] == pytest.approx(welch.high - welch.low, rel=0.05)
        assert sum(each["treated"] for each in effect["by_decile"]) == len(treated)
        assert len(effect["by_decile"]) == 10
        p = stats.chisquare([len(treated), len(control)]).pvalue
        assert effect["sample_ratio_p"] == pytest.approx(p)
    assert found["Mens E-Mail"]["conversion"]["low"] > 0.03
    assert found["Mens E-Mail"]["cuped"]["low"] > 0
    assert found["Womens E-Mail"]["conversion"]["low"] < 0 < found["Womens E-Mail"]["conversion"]["high"]
    assert "no effect that a group of this size could show" in found["Womens E-Mail"]["sentence"]


def test_tenths_do_not_cut_through_equal_amounts(hillstrom: Workbook, tmp_path: Path) -> None:
    mailing().assign(history=np.repeat([50.0, 10.0], 1500)).to_csv(tmp_path / "hillstrom.csv", index=False)
    ingest.ingest_files(hillstrom)
    campaigns.build(hillstrom)
    assert set(hillstrom.query("experiments.mailing_outcome")["decile"]) == {1, 6}


def test_a_run_says_why_the_other_stages_are_skipped(hillstrom: Workbook, outputs: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("clv"), "run", str(PARAMS)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    folder = next((outputs / "hillstrom" / "runs").iterdir())
    stages = json.loads((folder / "run.json").read_text())["stages"]
    assert [stage["status"] for stage in stages] == ["skipped"] * 5 + ["done"]
    assert all("skipped: this workbook has no purchases" in stage["message"] for stage in stages[:4])
    report = (folder / "report.html").read_text("utf-8")
    assert "Mens E-Mail added" in report
    assert "There are no e-mail events, so none is rejected" in report


def test_no_audience_can_be_made_of_nobody(hillstrom: Workbook) -> None:
    ingest.ingest_files(hillstrom)
    campaigns.build(hillstrom)
    reason = "hillstrom has no customers of whom an audience could be made"
    with pytest.raises(campaigns.NoRecommendedAudience, match=reason):
        campaigns.recommended_audience(hillstrom, "Mens E-Mail")
