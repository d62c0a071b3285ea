"""What an outsider works out from report.html alone: groups that it hides, by the sums that it shows.

He has the file and the docs. He knows that sums add up (over the values of a column, over a filter's choices, over the
months of a look-back), that a share is of a sum and a mean of a count, that nothing is below 0, how numbers are rounded
(`charts/rounding.py`), and what groups there are (`labels`: the worst case). He does not know which sums belong
together: two pictures are taken to speak of the same where no number of them says otherwise. All this is a system of
linear relations; linear programs give the least and the most that each hidden number can be.

A hidden number is *recovered* where both bounds are within 20% of the truth (the p% rule of cell suppression, with
p = 20: Hundepool et al., Statistical Disclosure Control, 2012, 4.2), and a hidden count where the bounds leave one
whole number from 1 to `min_cell` - 1. That a group is smaller than `min_cell` is said openly, and is no recovery.

Two reports of a workbook, of which the second knows one purchase more: the amount is recovered where all the numbers
that hold it, together, leave it no more than 20% to either side of the truth.
"""

from __future__ import annotations

import functools
import html
import itertools
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

Key = frozenset[tuple[str, str]]  # what a number is about: column and value; a column that is summed over is not in it
Interval = tuple[float, float]
Cells = dict[Key, Interval]

TOTALS = {"ALL", "All", "(all)", "all", "Total", "total"}
PEOPLE = ("customers", "active_customers", "delivered", "sent", "profiles", "people", "accepted", "opened", "clicked",
          "opened_with_machines", "numerator", "denominator", "messages", "ranked")  # fmt: skip
MEANS = re.compile(r"(\w+)_per_customer$")
SHARES = re.compile(r"share_of_(\w+)$")
NESTED = "lookback"  # its windows lie in each other
UNSUMMED = {NESTED, "quarter_of_life", "quarter", "series", "week", "step", "kpi", "percent_of_customers", "period"}
DAYS = {"last 3 months", "last 12 months", "this year"}  # choices of a filter by days
UNKNOWN = 5  # half of min_cell, as the rule of rounding says
MOST_CELLS = 4_000
P = 0.2

TOKEN = re.compile(
    r'(?P<board><div class="charts clv-board)'
    r"|<label[^>]*>(?P<label>[^<]*)<select[^>]*>(?P<options>.*?)</select>"
    r'|<script type="application/json" class="spec">(?P<chart>.*?)</script>'
    r"|<script>.*?</script>|<table(?P<table>.*?)</table>",
    re.DOTALL,
)
NUMBER = re.compile(r"^-?([\d,]*\d)(\.\d+)?\s?(%|k|M|bn)?$")
SCALES = {"%": 0.01, "k": 1e3, "M": 1e6, "bn": 1e9, None: 1.0}


@dataclass
class Picture:
    """One chart or table: its numbers by what they are about. `spread`: the columns along which it goes."""

    place: str
    spread: set[str]
    chosen: set[str] = field(default_factory=set)  # columns that filters narrow
    rows: list[tuple[Key, dict[str, tuple[float, float]]]] = field(default_factory=list)  # measure: number, its unit

    @property
    def columns(self) -> set[str]:
        return self.spread | self.chosen


@dataclass(frozen=True)
class Found:
    """A hidden number with its bounds; `truth` lies within them, near enough to be known."""

    measure: str
    group: Group
    low: float
    high: float
    truth: float
    places: tuple[str, ...]

    def __str__(self) -> str:
        about = " + ".join(", ".join(f"{name}={value}" for name, value in sorted(key)) for key in self.group)
        where = "; ".join(self.places)
        return f"{self.measure} of [{about}] is {self.truth:,.2f}: {self.low:,.2f} to {self.high:,.2f}, from {where}"


# reading the file


def parse(report: str, labels: dict[str, set[str]] | None = None) -> list[Picture]:
    """All numbers of a report's charts and tables. `labels`: what the columns are known to hold."""
    raw: list[tuple[dict[str, Any], list[tuple[str, list[str]]]]] = []
    tables, filters = [], []
    for token in TOKEN.finditer(report):
        if token["board"]:
            filters = []
        elif token["label"] is not None:
            options = [html.unescape(o) for o in re.findall(r"<option[^>]*>(.*?)</option>", token["options"])]
            filters.append((html.unescape(token["label"]), options))
        elif token["chart"]:
            raw.append((json.loads(token["chart"]), filters))
        elif token["table"]:
            tables.append(token["table"])
    pictures = [picture for chart, offered in raw for picture in _of_chart(chart, offered)]
    headings = {heading.lower(): name for chart, _ in raw for name, heading in (chart.get("headers") or {}).items()}
    pictures += [_of_table(table, f"table {number}", headings) for number, table in enumerate(tables, 1)]
    return _one_name_for_one_column([picture for picture in pictures if picture.rows], labels or {})


def _of_chart(chart: dict[str, Any], offered: list[tuple[str, list[str]]]) -> Iterator[Picture]:
    choices = chart.get("choices") or {}
    wired = [offered[index] for index, _ in choices.get("filters", [])]
    combinations = list(itertools.product(*(options for _, options in wired)))
    place = chart["title"] or chart.get("subtitle", "")
    if chart.get("html"):
        for choice, shown in enumerate(choices.get("html") or [chart["html"]]):
            picture = _of_table(shown, place, {h.lower(): n for n, h in (chart.get("headers") or {}).items()})
            _choose(picture, wired, combinations[choice] if wired else ())
            yield picture
        return
    spec = chart["spec"]
    kinds = dict(_kinds(spec))
    rows = {json.dumps(row, sort_keys=True): row for row in _rows(spec)}.values()
    names = list(dict.fromkeys(name for row in rows for name in row if name != "choice"))
    kept = [name for name in names if not name.endswith("_order")]
    keys = {n for n in kept if kinds.get(n) not in (None, "quantitative") or _textual(row.get(n) for row in rows)}
    by_choice: dict[int, Picture] = {}
    for row in rows:
        number = row.get("choice", 0)
        picture = by_choice.setdefault(number, Picture(place, set(keys)))
        numbers = {n: (float(row[n]), 0.0) for n in kept if n not in keys and isinstance(row.get(n), int | float)}
        picture.rows.append((_key((n, row.get(n)) for n in keys), numbers))
    for number, picture in by_choice.items():
        _choose(picture, wired, combinations[number] if wired else ())
        yield picture


def _choose(picture: Picture, wired: list[tuple[str, list[str]]], combination: tuple[str, ...]) -> None:
    """The filters' choices become part of what each number is about; a chart along time shows each month the same."""
    along_time = any(re.fullmatch(r"\d{4}-\d\d-\d\d", v) for key, _ in picture.rows for _, v in key)
    for (label, options), choice in zip(wired, combination, strict=True):
        if set(options) >= DAYS:
            if along_time:
                continue
            label = f"period of {label}"
            UNSUMMED.add(label)
        picture.chosen.add(label)
        chosen = _key([(label, choice)])
        picture.rows = [(key | chosen, numbers) for key, numbers in picture.rows]


def _of_table(table: str, place: str, headings: dict[str, str]) -> Picture:
    lines = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr.*?</tr>", table, re.S)
    ]
    texts = [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in line] for line in lines]
    if len(texts) < 2:
        return Picture(place, set())
    head, body = texts[0], [line for line in texts[1:] if len(line) == len(texts[0])]
    names = [headings.get(text.lower(), text.lower() or f"column {i}") for i, text in enumerate(head)]
    keys = {i for i in range(len(names)) if not any(_number(line[i]) for line in body)}
    keys |= {i for i, name in enumerate(names) if name in ("decile", "month")} or ({0} if not keys else set())
    picture = Picture(place, {names[i] for i in keys})
    for line in body:
        read = {names[i]: _number(line[i]) for i in range(len(names)) if i not in keys}
        numbers = {name: number for name, number in read.items() if number}
        if numbers:
            picture.rows.append((_key((names[i], line[i]) for i in keys), numbers))
    return picture


def _number(text: str) -> tuple[float, float] | None:
    """A number that is written, and the unit of its last digit."""
    match = NUMBER.match(text)
    if not match:
        return None
    scale = SCALES[match[3]]
    digits = len(match[2]) - 1 if match[2] else 0
    sign = -1 if text.startswith("-") else 1
    exact = digits == 0 and scale == 1
    return sign * float(match[1].replace(",", "") + (match[2] or "")) * scale, 0.0 if exact else scale * 10.0**-digits


def _kinds(part: Any, mark: str = "") -> Iterator[tuple[str, str]]:
    """The columns of a chart's channels, and their kinds; what stands along x of a line is no measure."""
    if isinstance(part, dict):
        named = part.get("mark", mark)
        mark = named.get("type", mark) if isinstance(named, dict) else named
        for channel, about in (part.get("encoding") or {}).items():
            if isinstance(about, dict) and "field" in about and "type" in about:
                along = channel == "x" and mark in ("line", "area")
                yield about["field"], "ordinal" if along else about["type"]
        for name, inner in part.items():
            if name not in ("datasets", "data", "config"):
                yield from _kinds(inner, mark)
    elif isinstance(part, list):
        for inner in part:
            yield from _kinds(inner, mark)


def _rows(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        for name, inner in part.items():
            if name == "datasets":
                yield from itertools.chain(*inner.values())
            elif name == "values" and isinstance(inner, list) and inner and isinstance(inner[0], dict):
                yield from inner
            else:
                yield from _rows(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _rows(inner)


def _textual(values: Iterable[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _key(parts: Iterable[tuple[str, Any]]) -> Key:
    return frozenset((name, _value(value)) for name, value in parts if _value(value) not in TOTALS)


def _value(value: Any) -> str:
    if isinstance(value, float) and value == int(value):
        value = int(value)
    text = str(value)
    return text[:10] if re.match(r"\d{4}-\d\d-\d\dT", text) else text


def _one_name_for_one_column(pictures: list[Picture], known: dict[str, set[str]]) -> list[Picture]:
    """A filter has a label, a chart's column a name, a table's a heading: those with the same values are the same."""
    values: dict[str, set[str]] = defaultdict(set)
    own: dict[str, set[str]] = defaultdict(set, {name: set(given) for name, given in known.items()})
    for picture in pictures:
        for key, _ in picture.rows:
            for name, value in key:
                values[name].add(value)
                if name in picture.spread:
                    own[name].add(value)
    charted = {name for picture in pictures if not picture.place.startswith("table ") for name in picture.spread}
    labels = {name for picture in pictures for name in picture.chosen} | (own.keys() - charted - known.keys())
    renamed = {}
    for label in labels - {n for n in labels if n.startswith("period of ")}:
        plain = label.lower().replace("-", "")
        if plain in own.keys() - labels:
            renamed[label] = plain
            continue
        fits = {n: len(values[label] & own[n]) / len(values[label] | own[n]) for n in own if n not in labels}
        best = max(fits, key=lambda n: fits[n], default=label)
        if fits.get(best, 0) >= 0.5:
            renamed[label] = best
    for picture in pictures:
        picture.spread = {renamed.get(n, n) for n in picture.spread}
        picture.chosen = {renamed.get(n, n) for n in picture.chosen} - picture.spread
        picture.rows = [(frozenset((renamed.get(n, n), v) for n, v in key), num) for key, num in picture.rows]
    return pictures


# what a number that is shown says


def interval(measure: str, shown: float, unit: float, people: float | None) -> Interval:
    """What the number can be. The step it was rounded to is the largest that divides it and that the rule allows."""
    half = max(unit, _step(measure, abs(shown), people)) / 2
    low, high = shown - half, shown + half
    return (max(low, 0.0) if shown >= 0 else low), high


def _step(measure: str, size: float, people: float | None) -> float:
    if size == 0:
        return 0.0
    if measure in PEOPLE:
        most = float(UNKNOWN)
    else:
        most = size * UNKNOWN / max((people or 11) - UNKNOWN / 2, UNKNOWN)
        if SHARES.match(measure) or "rate" in measure or "share" in measure:
            most = max(most, UNKNOWN / max(people or 11, UNKNOWN))
    for power in range(math.floor(math.log10(most)), math.floor(math.log10(size)) - 9, -1):
        for lead in (5, 2, 1):
            step = lead * 10.0**power
            if step <= most * (1 + 1e-9) and abs(size / step - round(size / step)) < 1e-6:
                return step
    return 0.0


def _counted(numbers: dict[str, tuple[float, float]]) -> float | None:
    return next((numbers[name][0] for name in PEOPLE if name in numbers), None)


@dataclass
class Source:
    """The numbers of one measure in one picture, or what two pictures together say of it."""

    places: tuple[str, ...]
    columns: frozenset[str]
    cells: Cells


def sources(pictures: list[Picture]) -> dict[str, list[Source]]:
    """By measure: who tells of it. Shares and means tell of the sums that they were made of."""
    told: dict[str, dict[tuple[str, frozenset[str]], Cells]] = defaultdict(lambda: defaultdict(dict))
    for picture in pictures:
        exact = {
            n for _, numbers in picture.rows for n, (shown, _) in numbers.items() if n in PEOPLE and shown % UNKNOWN
        }
        for key, numbers in picture.rows:
            for measure, (shown, unit) in numbers.items():
                cells = told[measure][picture.place.split(":")[0][:60], frozenset(picture.columns)]
                known = (shown, shown) if measure in exact else interval(measure, shown, unit, _counted(numbers))
                _narrow(cells, key, known)
    found = {
        measure: [Source((place,), columns, cells) for (place, columns), cells in by_place.items()]
        for measure, by_place in told.items()
    }
    for name, given in list(found.items()):
        for source in given:
            if mean := MEANS.match(name):
                _add_means(found, mean[1], source)
            if (share := SHARES.match(name)) and share[1] in found:
                _add_shares(found, share[1], source)
    return found


def _narrow(cells: Cells, key: Key, new: Interval) -> None:
    low, high = cells.get(key, new)
    if max(low, new[0]) <= min(high, new[1]):
        cells[key] = (max(low, new[0]), min(high, new[1]))


def _add_means(found: dict[str, list[Source]], measure: str, means: Source) -> None:
    """sum = mean × count, and count = sum / mean."""
    for counts in [s for s in found.get("customers", []) if s.cells.keys() & means.cells.keys()][:3]:
        both = counts.cells.keys() & means.cells.keys()
        cells = {k: tuple(a * b for a, b in zip(means.cells[k], counts.cells[k], strict=True)) for k in both}
        found.setdefault(measure, []).append(Source(counts.places + means.places, means.columns, cells))
    for sums in [s for s in found.get(measure, []) if s.cells.keys() & means.cells.keys()][:3]:
        both = [k for k in sums.cells.keys() & means.cells.keys() if means.cells[k][0] > 0]
        cells = {k: (sums.cells[k][0] / means.cells[k][1], sums.cells[k][1] / means.cells[k][0]) for k in both}
        found.setdefault("customers", []).append(Source(sums.places + means.places, means.columns, cells))


def _add_shares(found: dict[str, list[Source]], measure: str, shares: Source) -> None:
    """part = share × whole; the whole is that along which the shares add up to 1."""
    along = _adds_up(shares)
    if along is None:
        return
    wholes = [s for s in found[measure] if any(_without(k, along) in s.cells for k in shares.cells)]
    for source in wholes[:3]:
        cells = {}
        for key, (low, high) in shares.cells.items():
            if whole := source.cells.get(_without(key, along)):
                cells[key] = (low * whole[0], high * whole[1])
        found[measure].append(Source(source.places + shares.places, shares.columns, cells))


def _without(key: Key, columns: Iterable[str]) -> Key:
    return frozenset(part for part in key if part[0] not in columns)


def _adds_up(shares: Source) -> tuple[str, ...] | None:
    columns = sorted({name for key in shares.cells for name, _ in key})
    for along in [(c,) for c in columns] + list(itertools.combinations(columns, 2)):
        lines: dict[Key, float] = defaultdict(float)
        for key, (low, high) in shares.cells.items():
            if set(along) <= {name for name, _ in key}:
                lines[_without(key, along)] += (low + high) / 2
        if lines and max(lines.values()) < 1.1 and np.median(list(lines.values())) > 0.7:
            return along
    return None


# the system of relations


class System:
    """Numbers of one measure, and the sums that bind them."""

    def __init__(self, given: list[Source], labels: dict[str, set[str]], unsummed: frozenset[str] = frozenset()):
        self.given, self.labels, self.unsummed = given, labels, unsummed
        self.index: dict[Key, int] = {}
        equal: dict[tuple[int, frozenset[int]], None] = {}
        for source in given:
            free = [c for c in sorted(source.columns) if c not in UNSUMMED | unsummed]
            contexts = {frozenset(p for p in key if p[0] not in free) for key in source.cells}
            sizes = math.prod(len(labels.get(c, ())) + 1 for c in free) * len(contexts)
            if sizes > MOST_CELLS:
                continue
            options = [[(c, v) for v in sorted(labels.get(c, ()))] + [None] for c in free]
            for context, parts in itertools.product(sorted(contexts, key=sorted), itertools.product(*options)):
                key = context | {part for part in parts if part}
                for column, part in zip(free, parts, strict=True):
                    if part is None and labels.get(column):
                        children = frozenset(self._at(key | {(column, v)}) for v in labels[column])
                        equal[self._at(key), children] = None
        for source in given:
            for key in source.cells:
                self._at(key)
        equal |= dict.fromkeys(self._months())
        nested = list(self._nested())
        self.equal = self._matrix([{parent: 1.0, **dict.fromkeys(parts, -1.0)} for parent, parts in equal])
        self.below = self._matrix([{small: 1.0, large: -1.0} for small, large in nested])

    def _at(self, key: Key) -> int:
        return self.index.setdefault(key, len(self.index))

    def _months(self) -> Iterator[tuple[int, frozenset[int]]]:
        """A look-back is the sum of its months, the last whole ones."""
        months = sorted(v for v in self.labels.get("month", ()))
        for key in list(self.index):
            window = dict(key).get(NESTED, "")
            match = re.match(r"(\d+) months?$", window)
            if match and int(match[1]) <= len(months):
                parts = [_without(key, [NESTED]) | {("month", m)} for m in months[-int(match[1]) :]]
                if all(part in self.index for part in parts):
                    yield self.index[key], frozenset(self.index[part] for part in parts)

    def _nested(self) -> Iterator[tuple[int, int]]:
        """A longer look-back holds no less."""
        lengths = {v: int(m[1]) for v in self.labels.get(NESTED, ()) if (m := re.match(r"(\d+) months?$", v))}
        windows = sorted(lengths, key=lambda v: lengths[v]) + [
            v for v in self.labels.get(NESTED, ()) if v not in lengths
        ]
        for key in list(self.index):
            window = dict(key).get(NESTED)
            if window in windows[:-1]:
                longer = _without(key, [NESTED]) | {(NESTED, windows[windows.index(window) + 1])}
                if longer in self.index:
                    yield self.index[key], self.index[longer]

    def _matrix(self, rows: list[dict[int, float]]) -> csr_matrix | None:
        if not rows:
            return None
        data = [(v, (r, c)) for r, row in enumerate(rows) for c, v in row.items()]
        values, places = zip(*data, strict=True)
        return csr_matrix((values, tuple(zip(*places, strict=True))), shape=(len(rows), len(self.index)))

    @functools.cached_property
    def bounds(self) -> np.ndarray:
        limits = np.column_stack([np.zeros(len(self.index)), np.full(len(self.index), np.inf)])
        for source in self.given:
            for key, (low, high) in source.cells.items():
                at = self.index[key]
                limits[at] = max(limits[at, 0], low), min(limits[at, 1], high)
        return limits

    def solve(self, costs: np.ndarray) -> float | None:
        """The least of a sum of the numbers; None where they contradict each other."""
        if (self.bounds[:, 0] > self.bounds[:, 1] + 1e-9).any():
            return None
        limits = np.column_stack([self.bounds.min(axis=1), self.bounds[:, 1]])
        zeros = {
            "A_eq": self.equal, "b_eq": None if self.equal is None else np.zeros(self.equal.shape[0]),
            "A_ub": self.below, "b_ub": None if self.below is None else np.zeros(self.below.shape[0]),
        }  # fmt: skip
        solution = linprog(costs, bounds=limits, method="highs", **zeros)
        if solution.status == 3:  # without a limit
            return -math.inf
        return float(solution.fun) if solution.success else None

    @property
    def consistent(self) -> bool:
        return self.solve(np.zeros(len(self.index))) is not None

    def bounds_of(self, group: Group) -> Interval | None:
        """The least and the most that numbers can be together; None where nothing is said of one."""
        if any(key not in self.index for key in group):
            return None
        costs = np.zeros(len(self.index))
        costs[[self.index[key] for key in group]] = 1
        low, high = self.solve(costs), self.solve(-costs)
        return None if low is None or high is None else (low, -high)


def systems(given: list[Source], labels: dict[str, set[str]]) -> list[System]:
    """Those who tell of one measure, together as far as they do not contradict each other."""
    groups: list[System] = []
    for source in given:
        alone = _alone(source, labels)
        for number, group in enumerate(groups):
            if group.unsummed == alone.unsummed:
                merged = System([*group.given, source], labels, group.unsummed)
                if merged.consistent:
                    groups[number] = merged
                    break
        else:
            groups.append(alone)
    return groups


def _alone(source: Source, labels: dict[str, set[str]]) -> System:
    """One who tells, with the columns along which his numbers add up."""
    columns = sorted(source.columns - UNSUMMED)
    for left_out in [(), *((c,) for c in columns), tuple(columns)]:
        system = System([source], labels, frozenset(left_out))
        if system.consistent:
            return system
    return System([], labels)


# the verdict

Group = tuple[Key, ...]  # one number, or several that are small even together
Truth = dict[str, dict[Group, set[float]]]  # measure: what small groups hold


def recovered(
    report: str, truth: Truth, labels: dict[str, set[str]], min_cell: int = 11, most: int = 10**6
) -> list[Found]:
    """Which numbers of small groups the report gives away; of each measure, `most` are tried, the coarsest first.

    `truth`: of each measure, the numbers of groups under `min_cell`; `labels`: the values of the columns, as far as the
    report does not name them itself.
    """
    pictures = parse(report, labels)
    known = {name: set(values) for name, values in labels.items()}
    for picture in pictures:
        for key, _ in picture.rows:
            for name, value in key:
                if name not in labels:  # a value that is not there stands for several of them
                    known.setdefault(name, set()).add(value)
    found = []
    told = sources(pictures)
    for measure in truth.keys() & told.keys():
        for system in systems(told[measure], known):
            for group, values in sorted(truth[measure].items(), key=_coarse)[:most]:
                bounds = system.bounds_of(group)
                hit = bounds and next((v for v in values if is_recovered(measure, bounds, v, min_cell)), None)
                if hit:
                    places = tuple(dict.fromkeys(p for s in system.given for p in s.places))
                    found.append(Found(measure, group, *bounds, hit, places))
    return found


def _coarse(numbers: tuple[Group, set[float]]) -> tuple[int, int, list]:
    group = numbers[0]
    return max(len(key) for key in group), len(group), [sorted(key) for key in group]


def is_recovered(measure: str, bounds: Interval, truth: float, min_cell: int = 11) -> bool:
    """Whether the bounds give the truth away."""
    low, high = bounds
    slack = 1e-6 * max(1.0, abs(truth))
    if not low - slack <= truth <= high + slack or truth <= 0:
        return False
    if measure in PEOPLE:
        return high < math.inf and math.ceil(low - 1e-6) == math.floor(high + 1e-6) and truth < min_cell
    return low >= (1 - P) * truth - slack and high <= (1 + P) * truth + slack


def few_at_the_top(report: str, customers: int, min_cell: int = 11) -> list[str]:
    """Parts of a curve of concentration that are of fewer than `min_cell` people, and known within 20%."""
    found = []
    for picture in parse(report):
        points: dict[str, list[tuple[float, Interval]]] = defaultdict(lambda: [(0.0, (0.0, 0.0))])
        for key, numbers in picture.rows:
            percent = dict(key).get("percent_of_customers")
            for measure, (shown, unit) in numbers.items():
                if percent and SHARES.match(measure):
                    points[measure].append((float(percent), interval(measure, shown, unit, None)))
        for measure, curve in points.items():
            for (from_, (a, b)), (to, (c, d)) in itertools.pairwise(sorted(curve)):
                people, low, high = customers * (to - from_) / 100, max(c - b, 0.0), d - a
                if 0 < people < min_cell and low > 0 and high - low <= 2 * P * (low + high) / 2:
                    found.append(f"{picture.place}: {measure} of {people:.1f} people, {from_:g} to {to:g}%")
    return found


def too_exact(report: str, customers: int) -> list[str]:
    """Numbers of people that are more exact than the rule of rounding allows for any group, be it all customers."""
    found = []
    for picture in parse(report):
        for key, numbers in picture.rows:
            for measure, (shown, _) in numbers.items():
                known = measure in ("value", "spend", "purchases") or MEANS.match(measure) or SHARES.match(measure)
                step = _step(measure, abs(shown), customers)
                most = abs(shown) / max(customers, 11) * (1 - 1e-6)  # the rule's step is more than 2 of `customers`
                if (known and abs(shown) > 0 and step < most) or (measure in PEOPLE and shown % UNKNOWN):
                    found.append(f"{picture.place}: {measure} of {sorted(key)} is {shown}")
    return found


def amount_between(before: str, after: str, measure: str, holds: set[Key]) -> Interval:
    """What one purchase more can have been, by all numbers that hold it: of both reports, each with its rounding."""
    low, high = 0.0, math.inf
    first, second = sources(parse(before)).get(measure, []), sources(parse(after)).get(measure, [])
    for old in first:
        for new in second:
            if old.columns != new.columns:
                continue
            for key in old.cells.keys() & new.cells.keys() & holds:
                (a, b), (c, d) = old.cells[key], new.cells[key]
                if d - a >= 0:
                    low, high = max(low, c - b), min(high, d - a)
    return low, high
