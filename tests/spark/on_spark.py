"""What the tests of the Spark engine share: its settings, and one workbook built on both engines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from odd_rows import CAPPED, ODD, add_odd_rows

from clv_helpers import activation, audiences, ingest, models, simulate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.engines.spark import session as spark_session
from conftest import build_all

LOCAL = "spark://local[2]"
EARLIER = "2024-11-20"
SETTINGS = {
    **ODD, **CAPPED, "simulate.members": 5000, "simulate.years": 2, "spark_above": 0,
    "lifetime.covariates": ["region"], "lifetime.origins": 2,
}  # fmt: skip
# For data this small, compiling costs more than it saves, and so do a cluster's 200 parts of every shuffle.
DEFAULTS = """
spark.sql.shuffle.partitions 2
spark.executor.defaultJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=160m
spark.driver.defaultJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=160m
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.adaptive.enabled false
spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version 2
"""


class Collected(NamedTuple):
    """What came to the driver at once."""

    columns: list[str]
    rows: int


class Both(NamedTuple):
    """The same workbook built on both engines, and what Spark's driver was given meanwhile."""

    duckdb: Workbook
    spark: Workbook
    exports: dict[str, Path]
    collected: list[Collected]


def use_small_settings(folder: Path) -> None:
    """Let every Spark that is started from here on be one that is quick to start."""
    (folder / "spark-defaults.conf").write_text(DEFAULTS)
    os.environ["SPARK_CONF_DIR"] = str(folder)


def a_month_before(workbook: Workbook) -> None:
    """All that is in the lake, as it would have been seen earlier: what comes then has a past to follow.

    On Spark, too, DuckDB does it: what Spark goes on with it has not made itself.
    """
    ingest.ingest_files(workbook)
    settings = {**SETTINGS, "engine": workbook.params.engine, "spark_above": 10_000_000}
    before = Workbook.open(workbook.file, EARLIER, settings)
    models.refresh(before, "derived", "profile")
    audiences.evaluate(before, "rising", "top_decile_lapsing")


def build_both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """The airline at 5,000 customers, from the signals to the exported file and the campaigns, on either engine."""
    collected: list[Collected] = []
    collect = spark_session.SparkSession._collect

    def noted(self: spark_session.SparkSession, data: object) -> object:
        arrow = collect(self, data)
        collected.append(Collected(arrow.column_names, arrow.num_rows))
        return arrow

    built, exports = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark_session.SparkSession, "_collect", noted)
        for engine in ("duckdb", LOCAL):
            folder = tmp_path_factory.mktemp("both")
            patch.setenv("CLV_OUTPUTS_DIR", str(folder))
            workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides={**SETTINGS, "engine": engine})
            simulate.make_sources(workbook)
            add_odd_rows(workbook.folder / "source")
            a_month_before(workbook)
            build_all(workbook)
            activation.activate_planned(workbook)
            built[engine], exports[engine] = workbook, workbook.folder / "exports"
            assert workbook.engine.lake.is_relative_to(folder)
    return Both(built["duckdb"], built[LOCAL], exports, collected)
