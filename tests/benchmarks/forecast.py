"""Our forecast beside others', on six shops: `make benchmark-forecast`. Not a test. `--write` makes docs/forecast.md.

Every forecast knows the days up to a cut-off, and is judged customer by customer on the days after it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from forecast_contenders import CONTENDERS, ours
from forecast_tasks import Task, folder, real_shops, simulated_shops

from clv_helpers.config.workbook import ROOT

PAGE = ROOT / "docs" / "forecast.md"
OURS, TRUTH = "ours", "the truth"
BEGIN, END = "<!-- made by make benchmark-forecast -->", "<!-- up to here -->"


def errors(forecast: pd.DataFrame, came: pd.DataFrame) -> dict[str, float]:
    """How far a forecast of purchases and spend per customer was from what came."""
    made = forecast.reindex(came.index).fillna(0)
    spend, actual = made["spend"].to_numpy(), came["spend"].to_numpy()
    best = max(len(actual) // 10, 1)
    chosen = actual[np.argsort(-spend, kind="stable")[:best]].sum()
    return {
        "purchases": float(made["purchases"].sum() / came["purchases"].sum() - 1),
        "bias": float(spend.sum() / actual.sum() - 1),
        "mae": float(np.abs(spend - actual).mean()),
        "rmse": float(np.sqrt(((spend - actual) ** 2).mean())),
        "spearman": float(pd.Series(spend).corr(pd.Series(actual), method="spearman")),
        "captured": float(chosen / np.sort(actual)[-best:].sum()),
    }


def judged(task: Task) -> tuple[str, dict[str, dict[str, float]]]:
    """What ours chose and how its intervals held, and the errors of each contender."""
    came, started = task.outcome, time.process_time()
    forecast, record = ours(task)
    seconds = time.process_time() - started
    rows = {OURS: errors(forecast, came)}
    rows |= {name: errors(contender(task), came) for name, contender in CONTENDERS.items()}
    if task.truth is not None:
        rows[TRUTH] = errors(task.truth, came)
    total, actual, spend = record.totals[0], came["spend"].sum(), came["spend"]
    known = forecast.reindex(came.index)
    inside = (known["low"] <= spend.clip(lower=0) + 1e-9) & (spend <= known["high"] + 1e-9)
    note = (
        f"{record.title}, in {seconds:.0f} s of processor time; the 80 % interval of the total is {total.low:,.0f} to "
        f"{total.high:,.0f}, which {'holds' if total.low <= actual <= total.high else 'misses'} what came; those of "
        f"{inside.mean():.0%} of the customers hold theirs"
    )
    return note, rows


def _distance(row: dict[str, float], key: str) -> float:
    """How far a contender is from the best there can be."""
    return -row[key] if key in ("spearman", "captured") else abs(row[key])


def table(task: Task, note: str, rows: dict[str, dict[str, float]]) -> str:
    """A task as a table of Markdown; the best of each column stands in bold."""
    came, others = task.outcome, [name for name in rows if name != TRUTH]
    best = {key: min(others, key=lambda name, key=key: _distance(rows[name], key)) for key in rows[OURS]}

    def cell(name: str, key: str) -> str:
        form = "{:+.1%}" if key in ("purchases", "bias") else "{:.3f}" if key in ("spearman", "captured") else "{:,.2f}"
        text = form.format(rows[name][key])
        return f"**{text}**" if best[key] == name else text

    lines = [
        f"### {task.name}: {task.says}",
        "",
        f"{len(came):,} customers, {task.days} days from {task.cut_off:%Y-%m-%d}; {came['purchases'].sum():,.0f} "
        f"purchase days and {came['spend'].sum():,.0f} came. Ours: {note}.",
        "",
        "| forecast | purchases | spend | MAE | RMSE | Spearman | best tenth |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(f"| {name} | {' | '.join(cell(name, key) for key in rows[name])} |" for name in rows),
    ]
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """Put the tables between the page's two marks; what stands around them is written by hand."""
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def main(names: list[str], to_page: bool) -> None:
    tasks = [*real_shops(folder()), *simulated_shops()]
    texts = []
    for task in tasks:
        if names and task.name not in names:
            continue
        texts.append(table(task, *judged(task)))
        print(texts[-1], flush=True)
    if to_page:
        commit = subprocess.run(
            ["git", "log", "-1", "--format=“%s” of %cs"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        write(f"Made with the code up to {commit.stdout.strip()}.\n\n" + "\n".join(texts))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of the tasks; none: all")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/forecast.md")
    given = parser.parse_args()
    main(given.names, given.write)
