"""Fit and score beside the archived `lifetimes` and pymc-marketing: `make benchmark-lifetime`. Not a test.

Each contender runs in an environment and a process of its own, made once in outputs/benchmarks. Printed are seconds of
processor time (all threads), peak memory, and how many times our own they are; only these mean something elsewhere.
`--largest N` leaves out sizes above N, for a machine with less than 16 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from clv_helpers.config.workbook import ROOT, outputs_folder
from histories import from_csv, simulated

HERE, FOLDER = Path(__file__).parent, outputs_folder(ROOT / "params" / "cdnow.yml") / "benchmarks"
PINS = {
    "lifetimes": ["lifetimes==0.11.3", "numpy==1.26.4", "pandas==2.1.4", "scipy==1.13.1", "pyarrow==17.*"],
    "pymc": ["pymc-marketing==0.19.2", "numpy==2.4.6", "pandas==3.1.1", "pyarrow==26.*"],
}
SIZES = (2_357, 23_570, 1_000_000, 10_000_000)


def python_of(name: str) -> Path:
    """The interpreter of a contender's environment, which is made where it is not there."""
    folder = FOLDER / name
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "pip", "install", "-q", *PINS[name]], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def customers(size: int) -> Path:
    """The file with this many customers: CDNOW's two, or simulated ones."""
    file = FOLDER / f"customers-{size}.parquet"
    csv = {2_357: "cdnow_sample.csv", 23_570: "cdnow_master.csv"}.get(size)
    if not file.exists() and csv:
        from_csv(Path(os.environ["CLV_DATA_DIR"]) / csv, file)
    elif not file.exists():
        simulated(size, file)
    return file


def measured(command: list[str | Path]) -> dict[str, float] | None:
    """What one process prints; None where it does not come to an end."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=1_800, check=False)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1:] or f"ended with status {done.returncode}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(largest: int) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    lifetimes, pymc = python_of("lifetimes"), python_of("pymc")
    for size in (size for size in SIZES if size <= largest):
        file = customers(size)
        contenders = {
            "ours": [sys.executable, HERE / "run_ours.py", file, FOLDER],
            "lifetimes": [lifetimes, HERE / "run_lifetimes.py", file],
            "lifetimes, weights": [lifetimes, HERE / "run_lifetimes.py", file, "weighted"],
            "pymc-marketing, MAP": [pymc, HERE / "run_pymc.py", file],
        }
        print(f"\n{size:,} customers{'':<9} fit (s)      ×   score (s)      ×   peak (MB)      ×")
        ours = None
        for name, command in contenders.items():
            found = measured(command)
            if found is None:
                print(f"{name:<22} did not come to an end")
                continue
            ours = ours or found
            cells = [f"{found[key]:10.2f} {found[key] / ours[key]:6.1f}" for key in ("fit", "score", "megabytes")]
            extra = f"   with spend, deciles and all written: {found['whole']:.1f} s" if "whole" in found else ""
            print(f"{name:<22} {'  '.join(cells)}{extra}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    main(parser.parse_args().largest)
