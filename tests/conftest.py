"""Shared ground of the tests: a small airline built once, and honest skips."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import pytest

from clv_helpers import activation, audiences, campaigns, ingest, lifetime, models, simulate
from clv_helpers.config.workbook import ROOT, Workbook

T = TypeVar("T")
SMALL = {"simulate.members": 600, "simulate.years": 2, "lifetime.origins": 2}


def pytest_configure(config: pytest.Config) -> None:
    from hypothesis import settings

    settings.register_profile("dev", deadline=None, max_examples=60)
    settings.load_profile("dev")
    if config.option.markexpr == "not slow" and os.environ.get("CLV_SOAK") != "1":
        use_one_thread()


def use_one_thread() -> None:
    """Let DuckDB hand no work about, a sixth of the time with tables this small. The slow tests have all threads."""
    import duckdb

    connect = duckdb.connect

    def connect_single(*arguments: Any, config: dict[str, Any] | None = None, **options: Any) -> Any:
        return connect(*arguments, config={"threads": 1, **(config or {})}, **options)

    duckdb.connect = connect_single


def absent(reason: str) -> None:
    """Skip with the reason; where everything must be there (CLV_TEST_ALL=1), fail instead."""
    if os.environ.get("CLV_TEST_ALL") == "1":
        pytest.fail(f"CLV_TEST_ALL is set, but {reason}")
    pytest.skip(reason)


def often(many: int, few: int) -> int:
    """How many trials by chance: `few` among the tests, `many` where there are hours (make soak: CLV_SOAK=1)."""
    return many if os.environ.get("CLV_SOAK") == "1" else few


def of_the_day(many: Iterable[T], parts: int, begin: int = 0) -> list[T]:
    """One in so many, others every day (CLV_TEST_DAY, a number, has a day's again); all where there are hours."""
    day = int(os.environ.get("CLV_TEST_DAY", dt.date.today().toordinal()))
    return [each for place, each in enumerate(many, begin + day) if place % often(1, parts) == 0]


# Files that take longest begin first, or at the end one worker waits for the other. (--no-loadscope-reorder)
LONGEST = ("spark", "privacy", "test_chain", "test_table_destination", "test_pull", "test_interrupted", "test_stream",
           "test_every_command", "test_hostile", "test_large_export", "test_taken_away", "browser", "test_crash",
           "test_person", "test_ranks", "test_secrets", "test_guides", "test_poison", "campaigns", "test_lineage",
           "test_experiments")  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def file(item: pytest.Item) -> str:
        return item.nodeid.split("::")[0]

    def place(item: pytest.Item) -> int:
        return next((number for number, name in enumerate(LONGEST) if name in file(item)), len(LONGEST))

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker for all tests of a file, and for the files that share the airline on Spark, or it is built twice.

    (xdist's own loadgroup marks a test by a name that pytest 9.2 no longer reads.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.split("::")[0].replace("test_compositions_on_spark", "test_parity")

    return ByFile(config, log)


def ended(process: BaseProcess, kill_after: float | None) -> int | None:
    """Start a process, and kill it after so many seconds unless it ends before; gives its exit code."""
    process.start()
    process.join(kill_after)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


@pytest.fixture(scope="session")
def cdnow_folder() -> Path:
    """The folder that holds the CDNOW files."""
    folder = os.environ.get("CLV_DATA_DIR")
    if not folder or not (Path(folder) / "cdnow_master.csv").exists():
        absent("the CDNOW data set is not in $CLV_DATA_DIR")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        absent("Chromium is not installed (Debian: apt-get install chromium)")
    return found


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An outputs folder of this test's own."""
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def build_all(workbook: Workbook) -> Workbook:
    """All stages' tables, without notebooks."""
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    lifetime.refresh(workbook)
    models.refresh(workbook, "profile", "insights")
    audiences.evaluate(workbook)
    activation.decide(workbook)
    if workbook.has("email_events"):
        campaigns.build(workbook)
    return workbook


@pytest.fixture(scope="session")
def airline(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    """A small airline with all its tables; tests only read it."""
    folder = tmp_path_factory.mktemp("airline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder))
        workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides=SMALL)
        build_all(workbook)
        assert workbook.engine.published.is_relative_to(folder)
        yield workbook


def on_same_tables(workbook: Workbook, run: str = "", **params: Any) -> Workbook:
    """One that reads the tables of a workbook built in this session, whichever folder the environment names by now."""
    again = Workbook(workbook.file, workbook.params.model_copy(update=params), run)
    again.__dict__["engine"] = workbook.engine
    return again


@pytest.fixture
def workbook(airline: Workbook, outputs: Path) -> Workbook:
    """The small airline in a folder of this test's own, for tests that write."""
    shutil.copytree(airline.engine.lake.parent, outputs / "airline")
    return Workbook(airline.file, airline.params)


@pytest.fixture(scope="session")
def cdnow(tmp_path_factory: pytest.TempPathFactory, cdnow_folder: Path) -> Workbook:
    """CDNOW with all its tables; tests only read it."""
    folder = tmp_path_factory.mktemp("cdnow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder))
        workbook = Workbook.open(ROOT / "params" / "cdnow.yml")
        build_all(workbook)
        assert workbook.engine.published.is_relative_to(folder)
        yield workbook


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A Java for Spark, and settings with which a small one starts quickly."""
    from clv_helpers.engines.spark.connection import SparkUnavailable, check_java
    from on_spark import use_small_settings

    try:
        check_java()
    except SparkUnavailable as error:
        absent(str(error))
    use_small_settings(tmp_path_factory.mktemp("spark_conf"))


@pytest.fixture(scope="session")
def both(java: None, tmp_path_factory: pytest.TempPathFactory):
    """The airline at 5,000 customers with all its tables on DuckDB and on Spark; tests only read it."""
    from on_spark import build_both

    return build_both(tmp_path_factory)


SHOP_CSV = """customer,day,spent
a,2024-01-03,10.50
b,2024-01-03,20.00
a,2024-02-10,5.25
c,2024-02-11,40.00
a,2024-03-01,10.00
"""


def write_shop(folder: Path, csv: str = SHOP_CSV, extra: str = "") -> Path:
    """A workbook of one's own: a params file of a few lines, and its data beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "purchases.csv").write_text(csv, encoding="utf-8")
    params = folder / "shop.yml"
    params.write_text(
        "title: A small shop\n"
        "sources:\n"
        "  purchases:\n"
        "    path: purchases.csv\n"
        "    columns: {customer_id: customer, occurred_at: day, amount: spent}\n" + extra,
        encoding="utf-8",
    )
    return params


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small shop with its params, its outputs, and an empty folder for tables of its own."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = Workbook.open(write_shop(folder))
        (workbook.specs / "sql").mkdir(parents=True)
        ingest.ingest_files(workbook)
        models.refresh(workbook, "derived", "profile", "insights")
    return folder


@pytest.fixture
def shop(built_shop: Path, outputs: Path, tmp_path: Path) -> Workbook:
    """The small shop in a folder of this test's own."""
    shutil.copytree(built_shop, tmp_path, dirs_exist_ok=True)
    assert outputs.is_dir()
    return Workbook.open(tmp_path / "shop.yml")
