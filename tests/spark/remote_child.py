"""The small airline on an engine: `remote_child.py ADDRESS FOLDER STAGES`; its tables go to the folder.

STAGES: `all`, or `first`: ingestion and the derived tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

from clv_helpers import activation, ingest, models, simulate
from clv_helpers.config.workbook import ROOT, Workbook
from conftest import SMALL, build_all

address, folder = sys.argv[1], Path(sys.argv[2])
workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides={**SMALL, "engine": address, "spark_above": 5_000})
if sys.argv[3] == "all":
    build_all(workbook)
    activation.activate_planned(workbook)
else:
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
with workbook.engine.read() as session:
    for name in session.tables():
        session.frame(f"SELECT * FROM {name}").to_pickle(folder / f"{name}.pickle")
