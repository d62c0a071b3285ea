"""The last words of a notebook: what it says, computed from the data; what to try; and which notebook is next."""

from __future__ import annotations

import html
import re

import pandas as pd

from clv_helpers import activation, dashboards
from clv_helpers.charts.show import CLOSING_MIME, IN_NOTEBOOK, TOLD, Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.notebooks import STAGES

__all__ = ["shown"]
MOST = 4  # sentences
BOARDS = {3: "value", 4: "audiences"}  # whose titles say what their notebook says
NEXT = {
    1: "the star model over these tables",
    2: "boards over the model, and a composer for your own",
    3: "who is meant, by rule",
    4: "who of them may be written to",
    5: "what came back, and what it added",
    6: "again, once new files are in; `clv run PARAMS` does all six and writes the report",
}
TRY = {  # a cell to change, or a key of the params
    1: (
        '`as_of = "{year_before}"` in the first cell: everything as it was a year before',
        '`overrides = {{"lifetime.horizon_months": 24}}` there: what the next two years bring',
    ),
    2: (
        "`ORDER BY best_tenth DESC` in the `SELECT` above, or any other query over the tables of the diagram",
        '`insights.lineage(wb, "dashboards/value/1")`: where the numbers of a chart come from',
    ),
    3: (
        "a new board in the composer: the table Value by category, then two of its columns; saved, it stands here and "
        "in the report",
        "`clv board PARAMS`: the same boards for others, in their browser",
    ),
    4: (
        "a template in the segment builder: each row counts at once, and Save writes the audience's file",
        "`audience:` under `activations` in the params: the next notebook takes on whom it names",
    ),
    5: (
        "`control: {{share: 0.2}}` under `activations` in the params: a larger control group shows smaller effects",
        "`activate: true` there: delivers what is a dry run else",
    ),
    6: (
        "`clv results PARAMS CAMPAIGN --next NAME`: writes the audience that follows from a campaign",
        '`overrides = {{"campaigns.default.window_days": 56}}` in the first cell: whether an effect lasts',
    ),
}


def shown(workbook: Workbook, stage: int) -> Output:
    """What the notebook of a stage says, what to try, and a link to the next one.

    What it says are its weightiest findings, doubts before them, as the report's first page has them; of a notebook of
    boards the titles of their charts. The report leaves this out.

    Example:
        >>> closing.shown(wb, 3).bundle["text/plain"]
        'What this says ... What to try ... Next ...'
    """
    says = _findings() or _titles(workbook, stage)
    following = STAGES[stage % len(STAGES) + 1]
    name = f"{following[0]} · {following[2:].replace('_', ' ').capitalize()}"
    parts = {
        "What this says": [html.escape(sentence) for sentence in says[:MOST]],
        "What to try": [_marked(_filled(text, workbook)) for text in TRY[stage]],
        "Next": [f'<a href="{following}.ipynb">{name}</a>: {_marked(NEXT[stage])}'],
    }
    body = "".join(_part(heading, lines) for heading, lines in parts.items() if lines)
    text = re.sub(r"<[^>]+>", " ", body)
    page = f"{IN_NOTEBOOK}<div class='clv-closing'>{body}</div>"
    return Output({CLOSING_MIME: stage, "text/html": page, "text/plain": html.unescape(" ".join(text.split()))})


def _filled(text: str, workbook: Workbook) -> str:
    """With the day a year before, where it is named: a workbook without purchases has none."""
    return text.format(year_before=_year_before(workbook) if "{year_before}" in text else "")


def _findings() -> list[str]:
    """The sentences that this notebook's cells have shown so far: doubts, then those about the most money."""
    told = sorted(TOLD.values(), key=lambda found: (not found["warning"], -found["stake"]))
    return [found["brief"] for found in told]


def _titles(workbook: Workbook, stage: int) -> list[str]:
    """Of a notebook that shows boards or a chart, their titles, as far as they are computed."""
    if stage == 5:
        return [str(activation.chart(workbook).bundle["text/plain"])] if workbook.params.activations else []
    name = BOARDS.get(stage, "")
    return dashboards.titles(workbook, name) if name in dashboards.names(workbook) else []


def _year_before(workbook: Workbook) -> str:
    with workbook.engine.read() as session:
        return f"{pd.Timestamp(workbook.as_of(session)) - pd.DateOffset(years=1):%Y-%m-%d}"


def _marked(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _part(heading: str, lines: list[str]) -> str:
    return f"<h2>{heading}</h2><ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
