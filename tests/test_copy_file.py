"""A file's copy: the same bytes whichever way the system copies, and an error where there is no room."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from clv_helpers.files import copy_file

BYTES = os.urandom(3_000_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "lake"
    file.write_bytes(BYTES)
    (tmp_path / "copy").write_bytes(BYTES * 2)  # what was there is replaced
    return file


def test_the_copy_holds_the_same(source: Path) -> None:
    copy_file(source, source.with_name("copy"))
    assert source.with_name("copy").read_bytes() == BYTES


def refusing(number: int):
    def refuse(*_) -> int:
        raise OSError(number, os.strerror(number))

    return refuse


def test_where_the_file_system_knows_no_ranges(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", refusing(errno.EXDEV), raising=False)
    copy_file(source, source.with_name("copy"))
    assert source.with_name("copy").read_bytes() == BYTES


def test_where_the_system_has_no_such_call(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    copy_file(source, source.with_name("copy"))
    assert source.with_name("copy").read_bytes() == BYTES


def test_where_the_file_system_says_that_nothing_is_left_at_once(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0, raising=False)
    copy_file(source, source.with_name("copy"))
    assert source.with_name("copy").read_bytes() == BYTES


def test_a_full_disk_is_an_error(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", refusing(errno.ENOSPC), raising=False)
    with pytest.raises(OSError, match="No space left"):
        copy_file(source, source.with_name("copy"))
