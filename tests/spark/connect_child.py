"""The small airline, all stages, on a Connect server: `connect_child.py ADDRESS FOLDER`; tables go to the folder."""

from __future__ import annotations

import sys
from pathlib import Path

from clv_helpers import activation
from clv_helpers.engines.spark import SparkEngine
from clv_helpers.workbook import ROOT, Workbook
from conftest import SMALL, build_all

address, folder = sys.argv[1], Path(sys.argv[2])
workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides={**SMALL, "engine": address})
build_all(workbook)
assert isinstance(workbook.engine, SparkEngine)
activation.activate_planned(workbook)
with workbook.engine.read() as session:
    for name in session.tables():
        session.frame(f"SELECT * FROM {name}").to_pickle(folder / f"{name}.pickle")
