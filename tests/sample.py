"""A report of the airline and one of CDNOW to show, in outputs/sample/: `make sample`."""

from __future__ import annotations

import os
import shutil

from clv_helpers.config.workbook import ROOT, outputs_folder
from clv_helpers.run import notebooks

NO_DATA = "CDNOW is left out: CLV_DATA_DIR names no folder with cdnow_master.csv (brucehardie.com/datasets)."


def main() -> None:
    """Run both workbooks, and keep their reports as airline.html and cdnow.html; without its data CDNOW is left out."""
    for name in ("airline", "cdnow"):
        if name == "cdnow" and not os.environ.get("CLV_DATA_DIR"):
            print(NO_DATA)
            continue
        params = ROOT / "params" / f"{name}.yml"
        record, folder = notebooks.run(params, log=print)
        sample = outputs_folder(params) / "sample" / f"{name}.html"
        sample.parent.mkdir(exist_ok=True)
        shutil.copy(folder / record.report, sample)
        print(sample)


if __name__ == "__main__":
    main()
