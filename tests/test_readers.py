"""A board in one process goes on undisturbed while another process refreshes what it reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
from source_files import write_source

from clv_helpers import ingest
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.refresh_all import refresh_after_ingest

# One line per answer, until standard input closes: the deciles' customers and their sum, which must always fit.
BOARD = """
import select, sys
from clv_helpers.config.workbook import Workbook
workbook = Workbook.open(sys.argv[1])
while not select.select([sys.stdin], [], [], 0)[0]:
    rows = workbook.query("insights.fact_value_by_decile", category="ALL", lookback_months=0)
    print(rows["customers"].sum(), f"{rows['value'].sum():.2f}", flush=True)
"""


def test_each_answer_is_of_one_version_and_none_fails(workbook: Workbook, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BOARD, str(workbook.file)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes, text=True) as board:
        first = board.stdout.readline()
        versions = {first.strip()}
        for number in range(3):
            row = {
                "event_id": f"new{number}", "customer_id": f"N{number}", "occurred_at": "2024-05-05 10:00:00",
                "transaction_type": "STATUS_MILES", "category": "FLYER", "mileage": 100, "amount": "10.00",
            }  # fmt: skip
            file = write_source(workbook, "purchases", pd.DataFrame([row]), tmp_path / f"more_{number}.csv")
            ingest.ingest_files(workbook, "purchases", [file])
            refresh_after_ingest(workbook)
            rows = workbook.query("insights.fact_value_by_decile", category="ALL", lookback_months=0)
            versions.add(f"{rows['customers'].sum()} {rows['value'].sum():.2f}")
        answers, errors = board.communicate()
    assert errors == ""
    assert board.returncode == 0
    answers = [first.strip(), *answers.split("\n")[:-1]]
    assert len(versions) == 4
    assert set(answers) <= versions
    assert answers[0] != answers[-1]
    assert len(answers) > 20
