"""The same contracts, and what they are worth, on both engines."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from clv_helpers import ingest, lifetime, models
from clv_helpers.config.workbook import Workbook
from conftest import write_shop
from on_spark import LOCAL
from parity import same_rows

ASKED = """as_of: 2024-12-31
lifetime:
  contract: month
  minimum: {customers: 1, history_days: 1, with_three_purchases: 0}
"""
KEYS = {
    "lifetime.customer_contract": ("customer_id", "contract"),
    "lifetime.contract_score": ("renewals", "days_since"),
    "lifetime.contract_survival": ("series", "renewal"),
    "lifetime.contract_cohort": ("cohort",),
    "lifetime.customer_lifetime_value": ("customer_id",),
    "lifetime.forecast": ("decile", "month"),
}


@pytest.mark.slow
def test_contracts_are_the_same_on_spark(java: None, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, lines = np.random.default_rng(4), ["customer,day,spent"]
    for customer in range(200):
        day, leaves = dt.date(2023, 1, 1) + dt.timedelta(days=int(rng.integers(0, 500))), rng.beta(1, 5)
        while day < dt.date(2024, 12, 31):
            lines.append(f"c{customer},{day},9.99")
            day += dt.timedelta(days=30 if rng.random() > leaves else 150)  # who leaves comes back
    workbooks = []
    for engine in ("duckdb", LOCAL):
        folder = tmp_path / engine.partition(":")[0]
        monkeypatch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = Workbook.open(
            write_shop(folder, "\n".join(lines) + "\n", ASKED), overrides={"engine": engine, "spark_above": 500}
        )
        ingest.ingest_files(workbook)
        models.refresh(workbook, "derived")
        lifetime.refresh(workbook)
        workbooks.append(workbook)
    made = [json.dumps({**lifetime.record(each).as_dict(), "digest": ""}, default=str) for each in workbooks]
    assert '"status": "predicted"' in made[0] and '"contract_gaps"' in made[0]
    with workbooks[0].engine.read() as duckdb, workbooks[1].engine.read() as spark:
        for name, key in KEYS.items():
            assert same_rows(name, key, spark, duckdb) > 0
