"""What people see beside charts: tables, key figures, findings and notes, in a notebook and in the report."""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.rounding import people_text, rounded, share_text
from clv_helpers.charts.theme import CHART_MIME

if TYPE_CHECKING:
    import pandas as pd

# The report collects these from the executed notebooks and sets them at its top.
METRICS_MIME = "application/vnd.clv.metrics+json"
FINDING_MIME = "application/vnd.clv.finding+json"
LISTS_MIME = "application/vnd.clv.lists+json"
BOARD_MIME = "application/vnd.clv.board+json"
TABLE_MIME = "application/vnd.clv.table+json"
CLOSING_MIME = "application/vnd.clv.closing+json"  # a notebook's last words, which the report says elsewhere
TOLD: dict[str, dict[str, Any]] = {}  # the findings of this process by what they are about: a notebook's last words
MISSING = "–"
# A notebook's own style; the report has one of its own, and leaves this out.
IN_NOTEBOOK = f"<style>{(Path(__file__).parent / 'notebook.css').read_text(encoding='utf-8')}</style>"
LINES = {"text": 60, "subtitle": 76}  # letters that stand above half a page
WIDE = 40  # characters of a text that is given room


@dataclass(frozen=True)
class Metric:
    """One key figure: what it counts, its value as text, and a few words on how to read it.

    `topic` is its name in every report, whatever it is called there; `change` says how it differs from a year before.
    `number` is its value, and `weekly` what it was at each week's end, oldest first: rounded as what is shown.
    """

    label: str
    value: str
    note: str = ""
    topic: str = ""
    change: str = ""
    number: float | None = None
    weekly: tuple[float, ...] = ()


@dataclass(frozen=True)
class CustomerList:
    """Customers to act on: who they are, how many, and what they are worth, as text."""

    title: str
    description: str
    people: str
    value: str


@dataclass(frozen=True)
class Output:
    """Something to display: one representation per MIME type; of several outputs each has its own in `parts`."""

    bundle: dict[str, Any]
    parts: tuple[Output, ...] = ()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for part in self.parts or (self,):
            display(_wrapped(part.bundle), raw=True)


def _wrapped(bundle: dict[str, Any]) -> dict[str, Any]:
    """A chart with its texts on lines of its width: a notebook draws them as they are, and widens the chart to them."""
    chart = bundle.get(CHART_MIME)
    if not chart or chart["usermeta"]["width"] in ("full", "two thirds"):
        return bundle
    title = {key: textwrap.wrap(text, LINES.get(key, WIDE)) or "" for key, text in chart["title"].items()}
    return bundle | {CHART_MIME: chart | {"title": title}}


def stack(*outputs: Output) -> Output:
    """Several outputs as one, displayed one below the other."""
    parts = tuple(part for output in outputs for part in output.parts or (output,))  # a stack in a stack is one
    return Output({"text/plain": "\n".join(str(part.bundle.get("text/plain", "")) for part in parts)}, parts)


def metrics(*entries: Metric) -> Output:
    """Key figures in a row."""
    cards = "".join(map(_card, entries))
    text = "; ".join(f"{e.label}: {e.value}" for e in entries)
    row = f"{IN_NOTEBOOK}<div class='clv-metrics'>{cards}</div>"
    return Output({METRICS_MIME: [asdict(e) for e in entries], "text/html": row, "text/plain": text})


def _card(of: Metric) -> str:
    """A key figure as the report shows it."""
    change = f"<span class='change'>{html.escape(of.change)}</span>" if of.change else ""
    label, value, note = map(html.escape, (of.label, of.value, of.note))
    return f"<div><span>{label}</span><b>{value}</b>{change}<span>{note}</span></div>"


def finding(
    sentence: str, *, topic: str = "", stake: float = 0.0, board: str = "", brief: str = "", warning: bool = False
) -> Output:
    """A sentence that was computed from the data; the report sets the weightiest on its first page.

    `topic` names what it is about, and stays when its numbers change. `stake`: the money it is about, in the unit of
    spend, already rounded; 0 where it is about none. `board` shows more. `brief` is the sentence of the first page,
    where that is another. A `warning` stands there whatever its stake.

    Example:
        >>> show.finding("Three in four came back.", topic="retention").bundle["text/plain"]
        'Three in four came back.'
    """
    shown = f"{IN_NOTEBOOK}<p class='clv-finding'><strong>{html.escape(sentence)}</strong></p>"
    told = {"text": sentence, "brief": brief or sentence, "topic": topic, "board": board}
    weight = {"stake": float(stake) if math.isfinite(stake) else 0.0, "warning": warning}
    TOLD[topic or re.sub(r"[\d.,%–-]+", "", sentence)] = told | weight
    return Output({FINDING_MIME: told | weight, "text/html": shown, "text/plain": sentence})


def with_lists(shown: Output, *lists: CustomerList) -> Output:
    """The same, with lists of customers to act on for the report's first page."""
    return Output(shown.bundle | {LISTS_MIME: [asdict(each) for each in lists]})


def note(sentence: str) -> Output:
    """A plain sentence."""
    return Output({"text/html": f"<p class='clv-note'>{html.escape(sentence)}</p>", "text/plain": sentence})


def code(text: str) -> Output:
    """Code or SQL, as it is."""
    return Output({"text/html": f"<pre class='clv-code'>{html.escape(text)}</pre>", "text/plain": text})


def table(
    rows: pd.DataFrame | list[dict[str, Any]],
    columns: Mapping[str, str] | None = None,
    /,
    *,
    people: str | Mapping[str, str] | None,
    min_cell: int = 0,
    **named: str,
) -> Output:
    """Rows as a table with the columns of `columns` and `named`, in order: `column="Header|format"`.

    The format is Python's (`,.0f`, `.1%`), of a number that is a measure; a column without one is shown as text, one
    with `>` too, to the right. Texts are escaped.

    `people` says whom the measures are about. The name of a column: it counts the people of a row, whose parts add up,
    so a row of fewer than `min_cell` people keeps its texts and no number, and where it would be what is missing of
    the sum, the next smallest as well. A mapping: the column that counts the people of each measure (a count of people
    is its own), each judged alone. None: the rows are not about people. What is shown is rounded by `charts.rounding`.
    Raises ValueError for a measure about nobody knows whom.

    Example:
        >>> rows = [{"tier": "a", "members": 4, "spend": 9.5}, {"tier": "b", "members": 1868, "spend": 4476.03}]
        >>> shown = show.table(rows, tier="Tier", spend="Spend|,.0f", people="members", min_cell=11)
        >>> [text in shown.bundle["text/html"] for text in ("4,476", "4,480", "<td>b</td>")]
        [False, False, True]
    """
    import pandas as pd

    frame = pd.DataFrame(rows)
    parts = {name: spec.partition("|")[::2] for name, spec in {**(columns or {}), **named}.items()}
    measures = [name for name, (_, form) in parts.items() if form not in ("", ">")]
    populations = _populations(people, measures, min_cell)
    if people is not None:
        frame = frame.copy()
    hidden = {column: _hidden(frame[column], min_cell, isinstance(people, str)) for column in {*populations.values()}}
    cells = []
    for name, (_, form) in parts.items():
        column = populations.get(name)
        values = frame[name] if column is None else _rounded(frame[name], frame[column], min_cell)
        instead = hidden.get(column or "", {})
        cells.append([instead.get(index) or _cell(value, form) for index, value in enumerate(values)])
    kinds = [
        " ".join(kind for kind, on in (("number", form), ("wide", max(map(len, texts), default=0) > WIDE)) if on)
        for (_, form), texts in zip(parts.values(), cells, strict=True)
    ]
    head = _line([header for header, _ in parts.values()], kinds, 'th scope="col"')
    body = "".join(_line(line, kinds, "td") for line in zip(*cells, strict=True))
    numeric = "".join(f" n{place}" for place, name in enumerate(parts, 1) if name in measures)  # for the last look
    shown = f'<table class="dataframe clv-table{numeric}"><thead>{head}</thead><tbody>{body}</tbody></table>'
    told = {TABLE_MIME: {"people": people is not None}, "text/plain": f"{len(frame)} rows"}
    return Output({"text/html": IN_NOTEBOOK + shown, **told})


def _populations(people: str | Mapping[str, str] | None, measures: list[str], min_cell: int) -> dict[str, str]:
    """The column that counts the people of each measure."""
    if people is None:
        return {}
    if min_cell < 1:
        raise ValueError("a table about people needs the workbook's min_cell")
    if isinstance(people, str):
        return dict.fromkeys(measures, people)
    if unknown := [name for name in measures if name not in people]:
        raise ValueError(f"people: names no column that counts the people of {', '.join(unknown)}")
    return {name: people[name] for name in measures}


def _rounded(values: pd.Series, people: pd.Series, min_cell: int) -> list[Any]:
    import pandas as pd

    numbers, counts = (pd.to_numeric(column).to_numpy(dtype=float, na_value=math.nan) for column in (values, people))
    return list(rounded(numbers, counts, min_cell))


def _hidden(people: pd.Series, min_cell: int, adds_up: bool) -> dict[int, str]:
    """By row what stands in the place of its numbers: that the people are too few, or nothing, for another's sake."""
    counts = {index: float(count) for index, count in enumerate(people.tolist()) if not _is_missing(count)}
    small = [count for count in counts.values() if 0 < count < min_cell]
    instead = {index: f"<{min_cell}" for index, count in counts.items() if 0 < count < min_cell}
    if not small or not adds_up:
        return instead
    others = sorted((count, index) for index, count in counts.items() if count >= min_cell)
    if len(small) == 1 or sum(small) < min_cell:  # else each of them could hold min_cell, for all that the sum says
        instead |= {index: MISSING for _, index in others[:1]}
    return instead


def folded(shown: Output, summary: str) -> Output:
    """The same behind a line to click on: for what is long and looked up rather than read."""
    body = f"<details><summary>{html.escape(summary)}</summary>{shown.bundle['text/html']}</details>"
    return Output({"text/html": body, "text/plain": shown.bundle["text/plain"]})


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value)


def _cell(value: Any, form: str = "") -> str:
    import pandas as pd

    if _is_missing(value):
        return MISSING
    if form:
        return re.sub(r"^[-+](0(?:\.0+)?%?)$", r"\1", format(value, form))  # no -0%
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return str(value)


def _line(cells: Sequence[str], kinds: list[str], tag: str) -> str:
    marked = (f"<{tag}" + (f' class="{kind}">' if kind else ">") for kind in kinds)
    ends = f"</{tag.partition(' ')[0]}>"
    return f"<tr>{''.join(f'{begin}{html.escape(cell)}{ends}' for begin, cell in zip(marked, cells, strict=True))}</tr>"


def escaped(text: str) -> str:
    """Text for HTML."""
    return html.escape(text)


def upper_first(text: str) -> str:
    """The text with a capital."""
    return text[:1].upper() + text[1:]


def compact(value: float) -> str:
    """A number short enough for a title: 1234567 → 1.2 M, 1234 → 1,234."""
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= max(size, 10_000):
            scaled = value / size
            return f"{scaled:.0f}{unit}" if abs(scaled) >= 100 else f"{scaled:.1f}{unit}"
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """A share as a percentage, with a decimal below ten; a half is rounded up, as charts do."""
    return f"{math.floor(100 * share + 0.5 + 1e-9)}%" if share >= 0.1 or share == 0 else f"{share:.1%}"


def share(part: float, whole: float, min_cell: int) -> str:
    """A share of people as a percentage, with a decimal below ten; of fewer than `min_cell`, that they are fewer."""
    return share_text(part, whole, min_cell, ".0%" if part == 0 or part >= 0.1 * whole else ".1%")


def share_of(part: float, whole: float, who: str, min_cell: int) -> str:
    """How many people of how many, and their share; of fewer than `min_cell`, only that they are fewer.

    Example:
        >>> [show.share_of(part, 19_998, "members", 11) for part in (4, 1_868)]
        ['<11 of 20,000 members', '1,870 of 20,000 members (9.3%)']
    """
    text = share(part, whole, min_cell)
    if "<" in text:
        return f"{text} {who}"
    return f"{people_text(part, min_cell)} of {people_text(whole, min_cell)} {who} ({text})"


def rounded_sum(value: float, people: float, min_cell: int) -> float:
    """A sum about so many people, rounded by them; 0 of fewer than `min_cell`, or where it is not known.

    Example:
        >>> show.rounded_sum(8_348_208.56, 1_868, 11)
        8340000.0
    """
    return float(rounded([float(value)], [people], min_cell)[0]) if people >= min_cell and value == value else 0.0


def about(value: float, people: float, min_cell: int, write: Callable[[float], str] = compact) -> str:
    """A number about so many people as text, rounded by them; of fewer than `min_cell`, none.

    Example:
        >>> [show.about(8_348_208.56, people, 11) for people in (4, 1_868)]
        ['–', '8.3 M']
    """
    if people < min_cell:
        return MISSING
    return write(float(rounded([float(value)], [people], min_cell)[0]))


def with_bounds(numbers: Sequence[float], unit: str, people: float, min_cell: int) -> str:
    """A forecast with its low and high, such as "3.0 M GBP, 2.4 M to 3.5 M"; of fewer than `min_cell`, none.

    Example:
        >>> show.with_bounds([3e6, 2.4e6, 3.5e6], "GBP", 1_868, 11), show.with_bounds([30, 20, 40], "GBP", 4, 11)
        ('3.0 M GBP, 2.4 M to 3.5 M', '–')
    """
    if people < min_cell:
        return MISSING
    forecast, low, high = numbers
    told = f"{about(forecast, people, min_cell)} {unit}".rstrip()
    return f"{told}, {bounds(low, high, people, min_cell)}"


def bounds(low: float, high: float, people: float, min_cell: int) -> str:
    """The interval of a forecast, such as "2.4 M to 3.5 M"."""
    return f"{about(low, people, min_cell)} to {about(high, people, min_cell)}"
