"""The guide's next pages run from their params alone: abandoned browse, and bot filtering."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import activation, audiences, ingest, run, simulate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.run.notebooks import run as run_notebooks

SMALL = {"simulate.members": 1500}


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    """The web shop of params/browse.yml, small, up to its activation; tests only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path_factory.mktemp("browse")))
        workbook = Workbook.open(ROOT / "params" / "browse.yml", overrides=SMALL)
        simulate.make_sources(workbook)
        ingest.ingest_files(workbook)
        run.build_profile(workbook)
        audiences.evaluate(workbook)
        activation.decide(workbook)
        activation.activate_planned(workbook)
        yield workbook


def truth_of(workbook: Workbook) -> pd.DataFrame:
    return pd.read_parquet(workbook.folder / "source" / "truth_visitors.parquet").set_index("visitor")


def members(workbook: Workbook, audience: str) -> set[str]:
    rows = workbook.query("audiences.membership")
    return set(rows.loc[rows["audience"] == audience, "customer_id"])


def test_who_browsed_and_did_not_order_is_found(browse: Workbook) -> None:
    truth, found = truth_of(browse), members(browse, "abandoned_browse")
    planted = set(truth.index[truth["browsed"]])
    assert len(found & planted) / len(found) > 0.9
    assert len(found & planted) / len(planted) > 0.9


def test_who_ordered_since_is_not_among_them(browse: Workbook) -> None:
    """Told from the files: the last page seen in earnest within four days, and the last order."""
    source, end = browse.folder / "source", pd.Timestamp("2024-01-01")
    pages = pd.read_parquet(source / "web_events.parquet")
    pages = pages[(pages["seconds"] >= 10) & (pages["seen_at"] >= end - pd.Timedelta(days=4))]
    last_seen = pages.groupby("visitor")["seen_at"].max()
    last_order = pd.read_parquet(source / "orders.parquet").groupby("customer")["ordered_at"].max()
    by_hand = last_seen[~(last_order.reindex(last_seen.index) > last_seen)]
    assert members(browse, "abandoned_browse") == set(by_hand.index)


def test_the_dearest_product_is_that_of_the_files(browse: Workbook) -> None:
    source, end = browse.folder / "source", pd.Timestamp("2024-01-01")
    pages = pd.read_parquet(source / "web_events.parquet").merge(pd.read_parquet(source / "products.parquet"), on="sku")
    last_order = pd.read_parquet(source / "orders.parquet").groupby("customer")["ordered_at"].max()
    pages = pages[(pages["seconds"] >= 10) & (pages["seen_at"] >= end - pd.Timedelta(days=4))]
    pages = pages[~(last_order.reindex(pages["visitor"]).to_numpy() > pages["seen_at"])]
    by_hand = pages.sort_values("price").groupby("visitor")["product"].last()
    profile = browse.query("profile.customer").set_index("customer_id")["dearest_product"].dropna()
    assert profile.sort_index().to_dict() == by_hand.sort_index().to_dict()


def test_the_mail_names_the_product_and_goes_to_who_agreed(browse: Workbook) -> None:
    file = next(file for file in (browse.folder / "exports").glob("*still-thinking*.csv") if "control" not in file.name)
    rows = list(csv.DictReader(file.open(encoding="utf-8")))
    agreed = pd.read_parquet(browse.folder / "source" / "customers.parquet").set_index("customer")["email_consent"]
    profile = browse.query("profile.customer").set_index("customer_id")
    assert len(rows) > 20
    for row in rows:
        assert agreed[row["customer"]] and row["product"] == profile.loc[row["customer"], "dearest_product"]
        assert float(row["price"]) > 0


def test_what_was_found_stands_beside_the_truth(browse: Workbook) -> None:
    truth, found = truth_of(browse), members(browse, "abandoned_browse")
    shown = " ".join(str(part.bundle) for part in simulate.found(browse).parts)
    assert f"{int(truth['browsed'].sum()):,}" in shown and f"{len(found):,}" in shown
    assert "they looked at is named rightly" in shown


@pytest.mark.slow
@pytest.mark.parametrize(("name", "says"), [("browse", "abandoned_browse"), ("bots", "are taken for bots")])
def test_the_six_notebooks_run_from_the_params_alone(outputs: Path, name: str, says: str) -> None:
    record, folder = run_notebooks(ROOT / "params" / f"{name}.yml", overrides=SMALL)
    assert [stage.status for stage in record.stages][:4] == ["done"] * 4
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert says in report and "so the truth is known" in report
    settings = json.loads((outputs / name / "source" / "truth.json").read_text())["settings"]
    assert settings["business"] == "web_shop"
