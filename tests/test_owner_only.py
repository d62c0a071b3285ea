"""What a workbook writes is read by its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from clv_helpers.config.workbook import Workbook
from conftest import write_shop

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows knows no such modes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_what_lies_there_open_is_closed_when_the_workbook_is_read(outputs: Path, tmp_path: Path) -> None:
    folder, outside = outputs / "shop" / "exports", tmp_path / "outside.csv"
    folder.mkdir(parents=True)
    for file in (folder / "a.csv", outside):
        file.write_text("M1")
        file.chmod(0o644)
    (folder / "link.csv").symlink_to(outside)
    folder.chmod(0o755)
    workbook = Workbook.open(write_shop(tmp_path))
    assert workbook.engine
    assert [mode(path) for path in (folder.parent, folder, folder / "a.csv", outside)] == [0o700, 0o700, 0o600, 0o644]


def test_what_is_written_is_closed_whatever_the_umask(outputs: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Workbook.open(write_shop(tmp_path)).engine.write(publish=True) as session:
            (outputs / "shop" / "spool").write_text("M1")
            session.create_if_absent("lake.purchases", {"customer_id": "text"})
            assert mode(outputs / "shop") == 0o700
    finally:
        os.umask(before)
    files = list((outputs / "shop").iterdir())
    assert len(files) >= 3
    assert {mode(file) for file in files} == {0o600}


def test_opening_makes_no_folder(outputs: Path, tmp_path: Path) -> None:
    assert Workbook.open(write_shop(tmp_path)).engine
    assert not outputs.exists()
