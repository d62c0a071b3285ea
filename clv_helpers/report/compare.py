"""What changed between two runs: key figures and findings, matched by what they are about, then charts and settings."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

from clv_helpers.report.content import Content, Finding
from clv_helpers.report.run_record import RunRecord
from clv_helpers.report.swing import usual

NOTHING = "–"


@dataclass(frozen=True)
class Change:
    """What differs, as it was in the earlier run and as it is in this one; `by` how much, where that can be said."""

    what: str
    before: str
    now: str
    by: str = ""


@dataclass(frozen=True)
class Changes:
    """What two runs differ by, a list per kind; `same` counts the findings and charts that say the same."""

    since: RunRecord
    figures: list[Change]
    findings: list[Change]
    charts: list[Change]
    settings: list[Change]
    tables: list[Change]
    same: int


def changes(before_record: RunRecord, before: Content, now_record: RunRecord, now: Content) -> Changes:
    """Compare an earlier run with this one."""
    records, contents = (before_record, now_record), (before, now)
    weeks = weeks_between(*records)
    told = [{found.key: found for found in content.findings} for content in contents]
    titles = [_titles(content) for content in contents]
    same = [one.items() & other.items() for one, other in (titles, [_texts(findings) for findings in told])]
    return Changes(
        since=before_record,
        figures=_figures(before.metrics, now.metrics, weeks),
        findings=_findings(*told),
        charts=_differing(*titles),
        settings=_differing(*(_flat(record.params) for record in records)),
        tables=_differing(*({name: f"{rows:,} rows" for name, rows in r.tables.items()} for r in records)),
        same=sum(map(len, same)),
    )


def weeks_between(before: RunRecord, now: RunRecord) -> int:
    """The weeks between the days that two runs are as of, one that has begun among them; 0 where that is not known."""
    if not before.as_of_day or not now.as_of_day:
        return 0
    days = dt.date.fromisoformat(now.as_of_day) - dt.date.fromisoformat(before.as_of_day)
    return max(0, math.ceil(days.days / 7))


def _figures(before: list[dict[str, Any]], now: list[dict[str, Any]], weeks: int) -> list[Change]:
    earlier = {each.get("topic") or each["label"]: each for each in before}
    pairs = [(earlier.get(each.get("topic") or each["label"]) or earlier.get(each["label"]), each) for each in now]
    return [
        Change(each["label"], was["value"] if was else NOTHING, each["value"], _by(was, each, weeks) if was else "new")
        for was, each in pairs
        if each.get("topic") != "as_of" and (was is None or was["value"] != each["value"])
    ]


def _by(was: dict[str, Any], now: dict[str, Any], weeks: int) -> str:
    """By how much a figure changed, with its sign; and whether that is more than it usually does, where it is known."""
    share = _share(was.get("number"), now.get("number"))
    if share is None:
        return ""
    text, swing = f"{share:+.1%}", usual(now.get("weekly", ()), weeks)
    if swing is None:
        return text
    low, high = swing
    usually = "weekly swing" if weeks == 1 else f"swing within {weeks} weeks"
    verdict = f"within its usual {usually}" if low <= share <= high else f"more than its usual {usually}"
    return f"{text}, {verdict} ({low:+.1%} to {high:+.1%})"


def _share(was: float | None, now: float | None) -> float | None:
    return now / was - 1 if was and was > 0 and now is not None else None


def _findings(before: dict[str, Finding], now: dict[str, Finding]) -> list[Change]:
    """The findings that say something else, new ones and those that are gone, by what they are about."""
    changed = []
    for key in dict.fromkeys([*now, *before]):
        was, found = before.get(key), now.get(key)
        if was and found and was.told != found.told:
            share = _share(was.stake, found.stake)
            changed.append(Change(key, was.told, found.told, f"{share:+.1%} at stake" if share else ""))
        elif not was or not found:
            texts = (was.told if was else NOTHING, found.told if found else NOTHING)
            changed.append(Change(key, *texts, "new" if found else "not said any more"))
    return changed


def _differing(before: dict[str, str], now: dict[str, str]) -> list[Change]:
    names = list(dict.fromkeys([*now, *before]))
    return [Change(n, before.get(n, NOTHING), now.get(n, NOTHING)) for n in names if before.get(n) != now.get(n)]


def _texts(findings: dict[str, Finding]) -> dict[str, str]:
    return {key: found.told for key, found in findings.items()}


def _titles(content: Content) -> dict[str, str]:
    """The titles of charts, by the board or stage where they stand and what they are about."""
    titles: dict[str, str] = {}
    for section in content.sections:
        for block in section.blocks:
            for chart in block.charts:
                about = f"{block.title or section.title}: {chart['subtitle'].partition(';')[0] or 'a number'}"
                twins = sum(name == about or name.startswith(f"{about} (") for name in titles)
                titles[f"{about} ({twins + 1})" if twins else about] = chart["title"]
    return titles


def _flat(params: Any, path: str = "") -> dict[str, str]:
    if isinstance(params, dict):
        return {k: v for name, value in params.items() for k, v in _flat(value, f"{path}.{name}".strip(".")).items()}
    return {path: str(params)}
