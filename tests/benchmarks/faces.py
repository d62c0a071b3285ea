"""What a changed filter of the live board costs: `make benchmark-faces` (MEMBERS="20000 200000").

The simulated airline, three years; the board of ten widgets. Each choice of each filter is set once, on a board that is
open: the median and the most, of wall and of processor time, from the choice to the cards as they go to the browser.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from clv_helpers import ingest, models, simulate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.dashboards.live_board import LiveBoard

BOARD = "value"


def built(members: int) -> Workbook:
    """The airline's tables that the board reads."""
    workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides={"simulate.members": members})
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile", "insights")
    return workbook


def milliseconds(board: LiveBoard) -> list[tuple[float, float]]:
    """The wall and processor time of each choice."""
    taken = []
    for offer in board.offers:
        first = board.now.chosen[offer.column]
        for value in [each for each in offer.choices.values() if each != first]:
            wall, processor = time.perf_counter(), time.process_time()
            board.now.chosen[offer.column] = value
            board.redraw()
            taken.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
        board.now.chosen[offer.column] = first
    return taken


def main(members: list[int]) -> None:
    for count in members:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CLV_OUTPUTS_DIR"] = str(Path(folder))
            board = LiveBoard(built(count), [BOARD])
            walls, processors = zip(*milliseconds(board), strict=True)
            print(
                f"{count:>9,} members, {len(board.dashboard.widgets)} widgets, {len(walls)} choices: "
                f"median {statistics.median(walls):.0f} ms (processor {statistics.median(processors):.0f} ms), "
                f"most {max(walls):.0f} ms (processor {max(processors):.0f} ms)",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[20_000, 200_000])
    main(parser.parse_args().members)
