"""What changed between two runs: metrics, findings and titles of charts, settings and the size of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clv_helpers.report.content import Content
from clv_helpers.report.run_record import RunRecord


@dataclass(frozen=True)
class Change:
    """What differs, as it was in the earlier run and as it is in this one."""

    what: str
    before: str
    now: str


@dataclass(frozen=True)
class Changes:
    """What two runs differ by, a list per kind; `same` counts the findings and charts that say the same."""

    since: RunRecord
    metrics: list[Change]
    texts: list[Change]
    settings: list[Change]
    tables: list[Change]
    same: int


def changes(before_record: RunRecord, before: Content, now_record: RunRecord, now: Content) -> Changes:
    """Compare an earlier run with this one."""
    earlier, later = _texts(before), _texts(now)
    records = (before_record, now_record)
    return Changes(
        since=before_record,
        metrics=_differing(*({metric["label"]: metric["value"] for metric in c.metrics} for c in (before, now))),
        texts=_differing(earlier, later),
        settings=_differing(*(_flat(record.params) for record in records)),
        tables=_differing(*({name: f"{rows:,} rows" for name, rows in r.tables.items()} for r in records)),
        same=len(earlier.items() & later.items()),
    )


def _differing(before: dict[str, str], now: dict[str, str]) -> list[Change]:
    names = list(dict.fromkeys([*now, *before]))
    return [Change(n, before.get(n, "–"), now.get(n, "–")) for n in names if before.get(n) != now.get(n)]


def _texts(content: Content) -> dict[str, str]:
    """Findings and the titles of charts, by the place where they stand and what they are about."""
    texts = {finding.key: finding.text for finding in content.findings}
    for section in content.sections:
        charts = [(block, chart) for block in section.blocks for chart in block.charts]
        for number, (block, chart) in enumerate(charts, 1):
            about = chart["subtitle"].partition(";")[0] or block.title or "Chart"
            texts[f"{section.title}, chart {number}: {about}"] = chart["title"]
    return texts


def _flat(params: Any, path: str = "") -> dict[str, str]:
    if isinstance(params, dict):
        return {k: v for name, value in params.items() for k, v in _flat(value, f"{path}.{name}".strip(".")).items()}
    return {path: str(params)}
