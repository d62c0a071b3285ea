"""What changed between two runs: the texts that were computed, key figures, settings and the size of the tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clv_helpers.report.content import Content
    from clv_helpers.report.run_record import RunRecord

Change = tuple[str, str, str]  # what, before, now


@dataclass
class Changes:
    """What two runs differ by, each as (what, before, now); `same` counts the charts that say the same."""

    run: str
    started_at: str
    figures: list[Change] = field(default_factory=list)
    texts: list[Change] = field(default_factory=list)
    settings: list[Change] = field(default_factory=list)
    tables: list[Change] = field(default_factory=list)
    same: int = 0


def changes(before_record: RunRecord, before: Content, now_record: RunRecord, now: Content) -> Changes:
    """Compare an earlier run with this one."""
    found = Changes(before_record.run, before_record.started_at)
    figures = [{each["label"]: each["value"] for each in content.figures} for content in (before, now)]
    found.figures = _differing(*figures)
    found.settings = _differing(_flat(before_record.params), _flat(now_record.params))
    tables = [{n: f"{rows:,} rows" for n, rows in (r.tables or {}).items()} for r in (before_record, now_record)]
    found.tables = _differing(*tables)
    earlier, later = _texts(before), _texts(now)
    found.texts = [(place, was, says) for place, was, says in _differing(earlier, later)]
    found.same = sum(1 for place, says in later.items() if earlier.get(place) == says)
    return found


def _differing(before: dict[str, str], now: dict[str, str]) -> list[Change]:
    names = list(dict.fromkeys([*now, *before]))
    return [(n, before.get(n, "–"), now.get(n, "–")) for n in names if before.get(n) != now.get(n)]


def _texts(content: Content) -> dict[str, str]:
    """Findings and the titles of charts, by the place where they stand and what they are about."""
    texts = {f"Finding {number}": finding for number, finding in enumerate(content.findings, 1)}
    for section in content.sections:
        number = 0
        for block in section.blocks:
            for chart in block.charts:
                number += 1
                about = chart.subtitle.partition(";")[0] or block.title or "Chart"
                texts[f"{section.title}, chart {number}: {about}"] = chart.title
    return texts


def _flat(params: Any, path: str = "") -> dict[str, str]:
    if isinstance(params, dict):
        return {k: v for name, value in params.items() for k, v in _flat(value, f"{path}.{name}".strip(".")).items()}
    return {path: str(params)}
