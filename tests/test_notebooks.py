"""The notebooks explain and call; they compute nothing and are committed without outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from clv_helpers.run.notebooks import NOTEBOOKS, STAGES

FIRST = NOTEBOOKS / "0_your_data.ipynb"  # makes a workbook, and is none of the chain
FILES = [FIRST, *(NOTEBOOKS / f"{name}.ipynb" for name in STAGES.values())]


def cells(file: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(file.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def test_there_are_no_others() -> None:
    assert sorted(NOTEBOOKS.glob("*.ipynb")) == sorted(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
class TestNotebook:
    def test_committed_without_outputs(self, file: Path) -> None:
        for cell in cells(file, "code"):
            assert cell["outputs"] == []
            assert cell["execution_count"] is None

    def test_begins_with_title_and_purpose(self, file: Path) -> None:
        title, _, purpose = "".join(cells(file, "markdown")[0]["source"]).partition("\n\n")
        assert title == f"# {file.stem[0]} · {file.stem[2:].replace('_', ' ').capitalize()}"
        assert 2 <= purpose.count(". ") + purpose.endswith(".") <= 4

    def test_parameters_are_typed_and_commented(self, file: Path) -> None:
        first = cells(file, "code")[0]
        assert first["metadata"]["tags"] == ["parameters"]
        lines = "".join(first["source"]).splitlines()
        assert all(isinstance(node, ast.AnnAssign) for node in ast.parse("\n".join(lines)).body)
        assert all("  # " in line for line in lines)
        assert [line.partition(":")[0] for line in lines] == (
            ["source", "name", "run_name"] if file == FIRST else ["params_file", "as_of", "overrides", "run_name"]
        )

    def test_computes_nothing(self, file: Path) -> None:
        for cell in cells(file, "code"):
            tree = ast.parse("".join(cell["source"]).replace(";", ""))
            for node in ast.walk(tree):
                assert not isinstance(
                    node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.BinOp | ast.Lambda
                )
            assert len(tree.body) <= 4

    def test_kernel_is_the_one_of_the_environment(self, file: Path) -> None:
        assert json.loads(file.read_text("utf-8"))["metadata"]["kernelspec"]["name"] == "python3"
