"""What goes on by itself, on Spark: the stream and the schedule."""

from __future__ import annotations

from pathlib import Path

import pytest
from shops import broken_day, new_day, scheduled_shop
from test_stream import PARAMS, event, serving

from clv_helpers import schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.models.table_file import SCHEMAS, read_tables
from clv_helpers.run import history
from on_spark import LOCAL
from parity import same_rows


@pytest.mark.slow
def test_what_streams_in_is_what_duckdb_has(java: None, outputs: Path, tmp_path: Path) -> None:
    """The same events, sent to a stream on either engine in two deliveries, one of which comes late."""
    for name, engine in (("flow", "duckdb"), ("flow_on_spark", LOCAL)):
        params = tmp_path / f"{name}.yml"
        params.write_text(f"engine: {engine}\nspark_above: 2\n{PARAMS}")  # small tables by DuckDB, the others by Spark
        for delivery in ([event(1), event(2, day=5), event(3)], [event(1), event(4, day=3)]):
            with serving(params, "--every=0.1") as server:
                assert server.post(delivery) == (200, {"accepted": len(delivery)})
                server.stop(seconds=300)
    workbooks = [Workbook.open(tmp_path / f"{name}.yml") for name in ("flow_on_spark", "flow")]
    with workbooks[0].engine.read() as spark, workbooks[1].engine.read() as duckdb:
        assert spark.tables() == duckdb.tables()
        for each in read_tables(*SCHEMAS):
            if duckdb.has_table(each.name) and each.name != "lake.batches":  # whose files are named by the clock
                same_rows(each.name, each.key, spark, duckdb)
        assert spark.scalar("SELECT SUM(purchases) AS n FROM derived.customer_day") == 4


@pytest.mark.slow
def test_schedule_runs_fails_and_goes_on(java: None, outputs: Path, tmp_path: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop")
    shop.file.write_text(f"engine: {LOCAL}\nspark_above: 2\n{shop.file.read_text()}")
    shop = Workbook.open(shop.file)
    schedule.tick(shop)
    broken = broken_day(shop)
    with pytest.raises(UserError, match="broken.csv"):
        schedule.tick(shop)
    broken.unlink()
    new_day(shop, "day2")
    schedule.tick(shop)
    assert [run.status for run in history.read(shop)] == ["success", "failed", "success"]
    assert len(shop.query("profile.customer")) == 4
