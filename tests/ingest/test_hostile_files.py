"""Hostile files: each comes in with every row told of, or is refused in a sentence; none ends in a traceback."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
from hostile import Hostile, hostile_files, plain, read_rows
from typer.testing import CliRunner, Result

from clv_helpers import ingest
from clv_helpers.cli import app
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from conftest import often

PARAMS = """
title: A shop
sources:
  purchases:
    path: files/*.*
    max_rejected_share: 1
    csv: {{encoding: {encoding}}}
    columns: {{event_id: receipt, customer_id: customer, occurred_at: day, amount: spent}}
value: {{column: amount, unit: USD}}
"""


@pytest.fixture
def shops(tmp_path: Path, outputs: Path) -> dict[str, Workbook]:
    """A workbook per encoding; all find the same files."""
    shops = {}
    for encoding in ("utf-8", "utf-16", "cp1252"):
        params = tmp_path / f"{encoding}.yml"
        params.write_text(PARAMS.format(encoding=encoding), encoding="utf-8")
        shops[encoding] = Workbook.open(params)
    return shops


def _trial(shop: Workbook, folder: Path, file: Hostile) -> tuple[str, str]:
    """What became of a file, and what was wrong with that; nothing wrong: empty."""
    place = folder / file.name
    place.write_bytes(file.data)
    try:
        [batch] = ingest.ingest_files(shop, "purchases", [place])
    except UserError as error:
        return "refused", "" if "\n" not in str(error).strip() and len(str(error)) < 3_000 else "is no sentence"
    if batch.status == "already ingested":
        return "known", ""
    with shop.engine.read_latest() as session:
        lake = "SELECT event_id, customer_id, amount FROM lake.purchases WHERE _batch_id = $batch"
        accepted = session.rows(lake, batch=batch.batch_id)
        aside = session.rows("SELECT reason FROM lake.rejected_rows WHERE _batch_id = $batch", batch=batch.batch_id)
    read = (batch.rows_read, batch.rows_accepted, batch.rows_rejected)
    if read != (len(accepted) + len(aside), len(accepted), len(aside)):
        return "taken", f"the log says {read}, the lake {len(accepted)} and {len(aside)}"
    rows = read_rows(file)
    return ("compared", _difference(rows, accepted, aside)) if rows is not None else ("taken", "")


def _difference(rows: list[dict[str, str]], accepted: list[dict], aside: list[dict]) -> str:
    """How the lake differs from what an independent reader has of the file."""
    sure = {row["receipt"].strip(): found for row in rows if "receipt" in row and (found := plain(row))}
    ours = {row["event_id"]: (row["customer_id"].strip(), row["amount"]) for row in accepted}
    strange = ours.keys() - {row.get("receipt", "").strip() or None for row in rows}
    lost = sure.keys() - ours.keys()
    other = [
        f"{key}: {sure[key]} in the file, {ours[key]}" for key in sure.keys() & ours.keys() if sure[key] != ours[key]
    ]
    problems = [
        *other[:2],
        *([f"rows that the file has not: {sorted(map(str, strange))[:3]}"] if strange else []),
        *([f"rows that are neither in nor aside: {sorted(lost)[:3]}"] if len(lost) > len(aside) else []),
    ]
    return "; ".join(problems)


def _run(shops: dict[str, Workbook], folder: Path, files: list[Hostile]) -> Counter[str]:
    folder.mkdir()
    results = {file.name: _trial(shops[file.encoding], folder, file) for file in files}
    wrong = {name: problem for name, (_, problem) in results.items() if problem}
    assert not wrong, wrong
    for shop in shops.values():
        assert all("\n" not in problem.strip() for problem in ingest.source_problems(shop))
    left = itertools.chain.from_iterable(shop.folder.glob("reading-*") for shop in shops.values())
    assert not list(left)
    return Counter(outcome for outcome, _ in results.values())


def test_sixty_hostile_files(shops: dict[str, Workbook], tmp_path: Path) -> None:
    outcomes = _run(shops, tmp_path / "files", hostile_files(60))
    assert outcomes["compared"] >= 15
    assert outcomes["refused"] >= 10


@pytest.mark.slow
def test_many_hostile_files(shops: dict[str, Workbook], tmp_path: Path) -> None:
    outcomes = _run(shops, tmp_path / "files", hostile_files(count := often(400, 80), seed=2))
    assert outcomes["compared"] >= count // 4
    assert outcomes["refused"] >= count // 7


def _told(done: Result) -> str:
    """How a command ended: done, or refused in a sentence. Anything else is what was raised."""
    if done.exit_code == 0:
        return "done"
    if isinstance(done.exception, UserError | SystemExit):
        return "refused"
    raise AssertionError(repr(done.exception)) from done.exception


def _new_and_check(folder: Path, file: Hostile) -> str:
    """What became of a workbook made from a file, and of the check of it."""
    place = folder / file.name
    place.write_bytes(file.data)
    params = folder / f"shop{file.name.split('.')[0]}.yml"
    made = CliRunner().invoke(app, ["new", str(params), "--from", str(place), "--yes", "--no-run", "--json"])
    if _told(made) == "refused":
        assert not params.exists()
        return "refused"
    sums = json.loads(made.stdout)["sums"]
    aside = sum(each["rows"] for each in [*sums["left_out"], *sums["rejected"]])
    assert sums["rows"] + aside == sums["read"] > 0
    checked = CliRunner().invoke(app, ["check", str(params), "--json"])
    return "checked" if _told(checked) == "done" else "found wrong"


@pytest.mark.slow
def test_sixty_hostile_files_through_new_and_check(tmp_path: Path, outputs: Path) -> None:
    outcomes = {file.name: _new_and_check(tmp_path, file) for file in hostile_files(60, seed=3)}
    counted = Counter(outcomes.values())
    assert counted["checked"] >= 12, outcomes
    assert counted["refused"] >= 10, outcomes
