"""Attributes are kept fresh by customer: after any batch, any step of as_of and any revert as a build from nothing."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import expression
from clv_helpers.engines.session import Session
from clv_helpers.models.build import _refresh_one
from clv_helpers.models.checkpoints import LakeState
from conftest import often

PARAMS = """\
title: A small shop
sources:
  purchases: {path: orders.csv}
  web:
    is: events
    path: web.csv
    columns:
      {event_id: event_id, customer_id: customer_id, occurred_at: occurred_at, page: {from: page, type: text},
       seconds: {from: seconds, type: number}, product_id: {from: product_id, type: text}}
  products:
    is: lookup
    path: products.csv
    key: product_id
    columns: {product_id: product_id, brand: {from: brand, type: text}}
attributes:
  visits: {count: web}
  visits_8_days: {count: web, in_last: 8 days}
  seconds_1_month: {sum: web.seconds, in_last: 1 month}
  usual_page: {most frequent: web.page, in_last: 2 weeks}
  first_page: {first: web.page, in_last: 1 month}
  last_page: {last: web.page, where: [{field: seconds, op: more than, value: 3}]}
  pages: {distinct: web.page, during: 2024-03}
  mean_seconds: {average: web.seconds}
  share_home: {share of: web, where: [{field: page, op: equals, value: home}], in_last: 40 days}
  last_visit: {days since: web}
  brand: {last: web.products.brand}
"""
PAGES, PRODUCTS = ("home", "cart", "help", None), ("S1", "S2", "S3", None)
START = dt.datetime(2024, 1, 15)
INSERT = """
    INSERT INTO lake.web (event_id, customer_id, occurred_at, page, seconds, product_id, _batch_id)
    SELECT $event_id, $customer_id, CAST($occurred_at AS TIMESTAMP), $page, $seconds, $product_id, $batch
"""


@pytest.fixture
def shop(outputs: Path, tmp_path: Path) -> Workbook:
    """A shop with one order, one visit and two products."""
    files = {
        "shop.yml": PARAMS,
        "orders.csv": "customer_id,occurred_at,amount\na,2024-01-03,10\n",
        "web.csv": "event_id,customer_id,occurred_at,page,seconds,product_id\nw,a,2024-01-04 10:00:00,home,1.5,S1\n",
        "products.csv": "product_id,brand\nS1,Acme\nS2,Bolt\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    workbook = Workbook.open(tmp_path / "shop.yml")
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    return workbook


class Steps:
    """Batches of events and days, drawn at random, with what the incremental refresh made of each."""

    def __init__(self, workbook: Workbook, session: Session, seed: int):
        self.workbook, self.session, self.random = workbook, session, random.Random(seed)
        self.as_of, self.batch, self.events, self.kept, self.reverted = dt.date(2024, 2, 1), 100, 0, [], 0
        self.model = next(each for each in models.all_tables(workbook) if each.name == "profile.web_attribute")
        self.bindings = workbook.bindings(session)
        self.modes: list[str] = []

    def step(self) -> None:
        """A batch (perhaps late, perhaps none), a revert, a later day, or a new product; then a refresh."""
        draw = self.random.random()
        if draw < 0.8:
            self.bring(self.random.randint(1, 8))
        elif draw < 0.84 and self.kept:
            self.revert(self.kept.pop())
        elif draw < 0.87:
            self.rename_product()
        if self.random.random() < 0.6:
            self.as_of += dt.timedelta(days=self.random.choice([1, 1, 2, 7, 31]))
        self.refresh()

    def bring(self, rows: int) -> None:
        self.batch += 1
        for _ in range(rows):
            self.events += 1
            moment = dt.datetime.combine(self.as_of, dt.time()) - dt.timedelta(hours=self.random.randint(-48, 24 * 60))
            row: dict[str, Any] = {
                "event_id": f"e{self.events}", "customer_id": f"c{self.random.randint(0, 60)}", "batch": self.batch,
                "occurred_at": str(moment), "page": self.random.choice(PAGES),
                "product_id": self.random.choice(PRODUCTS),
                "seconds": self.random.choice([None, 0.1, 0.2, 3.3, 5.0]),
            }  # fmt: skip
            self.session.run(INSERT, **row)
        self.log("web", self.batch, "success")
        self.kept.append(self.batch)

    def revert(self, batch: int) -> None:
        self.session.run("DELETE FROM lake.web WHERE _batch_id = $batch", batch=batch)
        self.log("web", batch, "reverted")

    def rename_product(self) -> None:
        self.batch += 1
        brand = self.random.choice(["Acme", "Bolt", "Core"])
        sql = "INSERT INTO lake.products (product_id, brand, _batch_id) SELECT 'S2', $brand, $batch"
        self.session.run(sql, brand=brand, batch=self.batch)
        self.log("products", self.batch, "success")

    def log(self, dataset: str, batch: int, status: str) -> None:
        sql = "INSERT INTO lake.batch_log (dataset, _batch_id, status) SELECT $dataset, $batch, $status"
        self.session.run(sql, dataset=dataset, batch=batch, status=status)

    def refresh(self) -> None:
        bindings = {**self.bindings, "as_of": self.as_of}
        state = LakeState.read(self.session, bindings)
        self.modes.append(_refresh_one(state, self.model)[0].mode)
        state.keep()
        found = self.session.frame("SELECT * FROM profile.web_attribute ORDER BY customer_id")
        whole = self.session.frame(expression("SELECT * FROM $rows AS r ORDER BY customer_id",
                                              rows=self.model.bound(bindings)))  # fmt: skip
        assert found.equals(whole), found.compare(whole) if found.shape == whole.shape else (found, whole)


def test_a_refresh_by_parts_gives_what_a_build_gives(shop: Workbook) -> None:
    with shop.engine.write() as session:
        steps = Steps(shop, session, seed=1)
        steps.bring(150)
        for _ in range(25):
            steps.step()
    assert steps.modes.count("rows") > 8


@pytest.mark.slow
def test_hundreds_of_steps_give_what_builds_give(shop: Workbook) -> None:
    with shop.engine.write() as session:
        for seed in range(often(10, 3)):
            steps = Steps(shop, session, seed=seed + 10)
            steps.batch, steps.events = 10_000 * (seed + 1), 10_000 * (seed + 1)
            steps.bring(150)
            for _ in range(100):
                steps.step()
            assert steps.modes.count("rows") > 30
