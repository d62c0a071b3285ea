"""Notebook 0 makes a workbook: by papermill as `clv new` does, live by what is chosen in its fields."""

from __future__ import annotations

from pathlib import Path

import papermill
import pytest

from clv_helpers.config.workbook import Workbook
from clv_helpers.run.new.clicking import Desk
from clv_helpers.run.notebooks import NOTEBOOKS

ORDERS = "".join(f"{n},c{n % 7},2024-01-{n % 28 + 1:02},{n + 20}.50,{2 * n}.25\n" for n in range(40))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CLV_OUTPUTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text("order id,customer id,date,total,margin\n" + ORDERS)
    return tmp_path


def test_in_a_batch_run_it_writes_what_the_command_writes(here: Path) -> None:
    done = here / "done.ipynb"
    papermill.execute_notebook(
        NOTEBOOKS / "0_your_data.ipynb", done, {"source": "orders.csv", "name": "shop", "run_name": "r"}, cwd=here,
        kernel_name="python3", progress_bar=False,
    )  # fmt: skip
    said = done.read_text(encoding="utf-8")
    assert "40 orders, 7 customers, 1,600.00 USD" in said
    assert "2024-01-02" not in said  # no value of the data


def test_the_sums_follow_what_is_chosen(here: Path) -> None:
    desk = Desk("orders.csv", "shop")
    assert "40 orders, 7 customers, 1,600.00 USD" in desk.sums.value
    desk.fields["purchases", "margin"].value = "amount"
    assert "40 orders, 7 customers, 1,570.00 USD" in desk.sums.value
    assert desk.fields["purchases", "total"].value == ""
    desk.fields["purchases", "order id"].value = ""
    desk.write()
    shop = Workbook.open("shop.yml")
    columns = shop.params.sources["purchases"].columns or {}
    assert {name: column.headers for name, column in columns.items()} == {
        "customer_id": ["customer id"], "occurred_at": ["date"], "amount": ["margin"],
    }  # fmt: skip


def test_what_lacks_is_said_and_nothing_is_written(here: Path) -> None:
    desk = Desk("orders.csv", "shop")
    desk.fields["purchases", "total"].value = ""
    assert "no column is the amount yet; allowed: one of order id, customer id" in desk.status.value
    desk._attempt(desk.write)
    assert "There is nothing to write yet" in desk.status.value
    assert not (here / "shop.yml").exists()


def test_what_is_there_stays(here: Path) -> None:
    desk = Desk("orders.csv", "shop")
    (here / "shop.yml").write_text("mine")
    desk._attempt(desk.write)
    assert "shop.yml is there already" in desk.status.value
    assert (here / "shop.yml").read_text() == "mine"


def test_a_file_that_is_not_there_is_one_sentence(here: Path) -> None:
    assert "nothing.csv: there is no such file" in Desk("nothing.csv", "shop").status.value
