"""The same bots on both engines, by the same rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clv_helpers import ingest, run, simulate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.derived import bot_scoring
from on_spark import LOCAL
from parity import same_rows

SMALL = {"simulate.members": 800, "simulate.bots": 160}


@pytest.mark.slow
def test_bots_are_the_same_on_spark(java: None, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    workbooks = []
    for engine in ("duckdb", LOCAL):
        monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / engine.partition(":")[0]))
        workbook = Workbook.open(
            ROOT / "params" / "bots.yml", overrides={**SMALL, "engine": engine, "spark_above": 1_000}
        )
        simulate.make_sources(workbook)
        ingest.ingest_files(workbook)
        run.build_profile(workbook)
        workbooks.append(workbook)
    made = [replace(bot_scoring.record(workbook), digest="") for workbook in workbooks]
    assert made[0] == made[1] and made[0].status == "scored"
    with workbooks[0].engine.read() as duckdb, workbooks[1].engine.read() as spark:
        assert same_rows("derived.bot_feature", ("customer_id",), spark, duckdb) > 0
        assert same_rows("derived.bot", ("customer_id",), spark, duckdb) > 0
