"""A refresh with nothing new does nothing; whatever it would have gone by makes it look again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clv_helpers import ingest, run
from clv_helpers.audiences import audience_files
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse, table
from clv_helpers.engines.session import Session
from clv_helpers.models import RefreshRow
from clv_helpers.models.checkpoints import build_anew
from clv_helpers.run import nothing_new
from conftest import write_shop

REGULAR = {"title": "Regulars", "rule": {"field": "frequency", "op": "at least", "value": 1}}


def is_unchanged(workbook: Workbook) -> bool:
    with workbook.engine.write() as session:
        return nothing_new.rows_if_unchanged(session, workbook) is not None


@contextlib.contextmanager
def written(file: Path, text: str) -> Iterator[None]:
    """A file as it is not, for a while."""
    before = file.read_text("utf-8") if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    yield
    file.unlink() if before is None else file.write_text(before, encoding="utf-8")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbook]:
    """A shop with an audience by a rule, and one of a list that lies elsewhere; all refreshed."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = Workbook.open(write_shop(folder))
        ingest.ingest_files(workbook)
        (folder / "vip.csv").write_text("customer_id\na\n", encoding="utf-8")
        for name, raw in {"regular": REGULAR, "vip": {"title": "Invited", "list": "vip.csv"}}.items():
            file = audience_files.file_of(workbook, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml_files.dump(raw), encoding="utf-8")
        run.refresh(workbook)
        yield workbook


def test_nothing_is_evaluated_or_written_where_nothing_is_new(shop: Workbook) -> None:
    """Also where the last refresh ended between its commit and its publication: then readers see it now."""
    with shop.engine.read() as session:
        versions, counts = session.versions(), session.count(table("derived.customer_value"))
        evaluations = session.count(table("audiences.evaluation"))
    shop.engine.published.unlink()
    rows = run.refresh(shop)
    assert {row.mode for row in rows} <= {"unchanged", "off", "refused"}
    assert next(row.rows for row in rows if row.table == "derived.customer_value") == counts
    with shop.engine.read() as session:
        assert session.versions() == versions
        assert session.count(table("audiences.evaluation")) == evaluations
    assert list(shop.query("schedule.refresh_run")["status"]) == ["success", "success"]


def test_files_and_params_are_looked_at(shop: Workbook) -> None:
    own = shop.specs / "sql" / "fact_days.sql"
    changes = [
        written(audience_files.file_of(shop, "regular"), yaml_files.dump(REGULAR | {"description": "twice"})),
        written(shop.file.parent / "vip.csv", "customer_id\nb\n"),
        written(own, "-- One row: a day.\n-- Key: day\nSELECT DISTINCT day FROM derived.customer_day\n"),
    ]
    for change in changes:
        assert is_unchanged(shop)
        with change:
            assert not is_unchanged(shop)
    assert is_unchanged(shop)
    assert not is_unchanged(Workbook.open(shop.file, overrides={"min_cell": 7}))


def reject_a_row(session: Session) -> None:
    session.run("INSERT INTO lake.rejected_rows SELECT 1, 'purchases', 9, 'amount', 'x', 'is no number'")


CHANGES: list[Callable[[Session], None]] = [
    reject_a_row,
    lambda session: session.run("DELETE FROM lake.rejected_rows WHERE TRUE"),
    lambda session: session.run("UPDATE lake.checkpoint SET refreshed_at = refreshed_at + INTERVAL 1 SECOND"),
    lambda session: session.create_table("activation.decision", parse("SELECT 'a' AS customer_id")),
    build_anew,
]


def test_what_came_to_the_lake_or_left_it_is_seen(shop: Workbook) -> None:
    for change in CHANGES:
        with shop.engine.write() as session:
            nothing_new.note(session, shop, [])
        assert is_unchanged(shop)
        with shop.engine.write() as session:
            change(session)
        assert not is_unchanged(shop)


def test_of_doubtful_audiences_nothing_is_kept(shop: Workbook) -> None:
    """They are looked at, and told of, with each refresh."""
    with shop.engine.write() as session:
        nothing_new.note(session, shop, [RefreshRow("audiences.membership_period", "a stay.", "partly", 3, 0.1)])
    assert not is_unchanged(shop)


def test_batches_are_seen(shop: Workbook) -> None:
    with shop.engine.write() as session:
        nothing_new.note(session, shop, [])
    (more := shop.file.parent / "more.csv").write_text("customer,day,spent\na,2024-03-01,5\n", encoding="utf-8")
    [batch] = ingest.ingest_files(shop, "purchases", [more])
    assert not is_unchanged(shop)
    with shop.engine.write() as session:
        nothing_new.note(session, shop, [])
    ingest.revert(shop, batch.batch_id)
    assert not is_unchanged(shop)
