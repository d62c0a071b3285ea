"""What a finished text shows, as a set of marks to look up: words, runs of words, addresses, digests, in plain form.

A mark is a kind and a text without case, blanks and punctuation, so that `+49 170 0001`, `49-170-0001` and
`%2B491700001` are the same. Entities, JSON and URL escapes, base64 and hexadecimal are undone first, twice over.
"""

from __future__ import annotations

import base64
import binascii
import html
import itertools
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

KEY, WORD, PHRASE, MAIL, DIGEST = "key", "word", "phrase", "mail", "digest"
Mark = tuple[str, str]

WORDS = re.compile(r"[^\W_]+")
SHORTEST_WORD = 5
LONG_NUMBER = 10  # digits: as many say who it is, even where numbers stand
LONGEST_PHRASE = 6  # words
AROUND_AT = 5  # words on either side of an at sign
# What is written with digits and is no customer's number: 13,085 and 0.5, days and moments, runs, colours.
NUMBERS = re.compile(
    r"\d{8}-\d{6}-\d{3}"
    r"|(?<![\w.@/-])\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+\d\d:\d\d)?)?(?![\w@])"
    r"|(?<![\w@])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w@])"
    r"|(?<![\w.@])\d+\.\d+(?:[eE][+-]?\d+)?(?![\w.@])"
    r"|#[0-9a-fA-F]{3,8}\b"
)
AT = re.compile(r"@|[(\[{<]\s*at\s*[)\]}>]|(?<=\w)\s+at\s+(?=\w)")
DOT = re.compile(r"[(\[{]\s*(?:dot|\.)\s*[)\]}]|(?<=\w)\s+dot\s+(?=\w)")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
TERMINAL = re.compile(r"\x1b\[[0-9;]*m")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{7,}={0,2}")
HEXADECIMAL = re.compile(r"(?<![0-9A-Za-z])(?<!data-)(?:0x)?([0-9a-fA-F]{10,})(?![0-9A-Za-z])")  # data-…: Altair's
DIGEST_BYTES = {16: "md5", 20: "sha1", 32: "sha256"}
# Geometry and colours, which Vega computes from numbers.
DRAWING = {
    "d", "transform", "points", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "dx", "dy", "width", "height",
    "viewbox", "offset", "fill", "stroke", "stroke-width", "font-size", "opacity", "stop-color", "clip-path",
}  # fmt: skip


def plain(text: str) -> str:
    """A text as marks are compared: its words in small letters; without blanks too, if it is a number or an address.

    Example:
        >>> plain("Kofi.Fischer+1@Example.com"), plain("FISCHER, Kofi")
        ('kofifischer1examplecom', 'fischer kofi')
    """
    return ("" if re.search(r"[\d@]", text) else " ").join(WORDS.findall(text.lower()))


def is_count(text: str) -> bool:
    """Whether a text is a number such as counts are: digits alone, too few for nothing else to be meant."""
    return text.strip().isdigit() and len(text.strip()) < LONG_NUMBER


class Shown:
    """The marks of one piece of a file. `keys`: the names, in small letters, of columns that identify a person."""

    def __init__(self, keys: frozenset[str]):
        self.keys = keys
        self.marks: set[Mark] = set()
        self._seen: set[str] = set()

    def text(self, text: str, depth: int = 2) -> None:
        """Add a text: prose, a label, a message, a value."""
        if text in self._seen:
            return
        self._seen.add(text)
        for form in _forms(text):
            self._encoded(form, depth)
            self._mails(form.lower())
            stretches = NUMBERS.sub("\0", form).split("\0")
            for stretch in stretches:
                self._words(stretch, whole=len(stretches) == 1)

    def printed(self, text: str) -> None:
        """Add a text that may be a table of numbers."""
        self.text(" ".join(word for word in text.split() if not is_count(word)))

    def html(self, page: str) -> None:
        """Add HTML: its texts, its attributes but those of drawing, the JSON in it, and its tables by their columns."""
        reader = _Reader(self)
        reader.feed(page)
        reader.close()

    def json(self, value: Any, key: str = "") -> None:
        """Add data: its names and its values. Of its numbers only those of ten digits, or under an identity's name."""
        match value:
            case {"names": list(names), "headers": list(headers), "rows": list(rows)}:  # as charts.show.table has it
                self.text("\n".join(map(str, [*names, *headers])))
                for row in rows:
                    for name, header, cell in zip(names, headers, row, strict=False):
                        self.value(name, cell)
                        self.value(header, cell)
                        self.text(cell)
                    self.row(row)
            case dict():
                for name, inner in value.items():
                    self.text(str(name))
                    self.json(inner, str(name))
                self.row([inner for inner in value.values() if isinstance(inner, str)])
            case list():
                for inner in value:
                    self.json(inner, key)
            case str():
                self.value(key, value)
                self.text(value)
                if "</" in value:
                    self.html(value)
            case int() | float() if not isinstance(value, bool):
                number = f"{value:.0f}" if value == value and abs(value) < 1e18 else ""
                self.value(key, number)
                if len(number) >= LONG_NUMBER and not 10**12 < value < 3 * 10**12:  # a moment, in milliseconds
                    self.marks.add((WORD, number))

    def value(self, column: str, value: str) -> None:
        """Add a value that stands under a column's name."""
        if column.lower().strip() in self.keys and (bare := plain(value)):
            self.marks.add((KEY, bare))

    def row(self, values: Iterable[str]) -> None:
        """Add the texts of one row: a first name and a last one may stand apart in it."""
        short = {plain(value) for value in values if 2 <= len(value) <= 40 and not re.search(r"[\d@]", value)}
        self.marks |= {(PHRASE, f"{one} {other}") for one, other in itertools.permutations(sorted(short)[:20], 2)}

    def _words(self, stretch: str, whole: bool) -> None:
        """Words with a digit, and runs of words: with a digit; else a value as a whole, or as names are written."""
        words = WORDS.findall(stretch)
        self._numbered(word.lower() for word in words)
        self._numbered(bare for chunk in stretch.split() if not (bare := plain(chunk)).isdigit())
        digits, capitals = [any(map(str.isdigit, word)) for word in words], [word[0].isupper() for word in words]
        for start in range(len(words)):
            with_digit, names = digits[start], capitals[start] + 0
            for end in range(start + 2, min(start + LONGEST_PHRASE, len(words)) + 1):
                with_digit, names = with_digit or digits[end - 1], names + capitals[end - 1]
                if with_digit or names >= 2 or (whole and end - start == len(words)):
                    self.marks.add((PHRASE, ("" if with_digit else " ").join(words[start:end]).lower()))

    def _numbered(self, texts: Iterable[str]) -> None:
        """Words with a digit, long enough to be nobody's count."""
        self.marks |= {(WORD, t) for t in texts if len(t) >= SHORTEST_WORD and any(map(str.isdigit, t))}

    def _mails(self, lowered: str) -> None:
        text = DOT.sub(".", lowered)
        for at in AT.finditer(text):
            before = WORDS.findall(text[max(0, at.start() - 100) : at.start()])[-AROUND_AT:]
            after = WORDS.findall(text[at.end() : at.end() + 100])[:AROUND_AT]
            for start, end in itertools.product(range(len(before)), range(1, len(after) + 1)):
                self.marks.add((MAIL, "".join(before[start:] + after[:end])))

    def _encoded(self, text: str, depth: int) -> None:
        """What is written in base64 or hexadecimal: a text again, or a digest."""
        runs = [_from_base64(run) for run in set(BASE64.findall(text))]
        runs += [bytes.fromhex(run[: len(run) // 2 * 2]) for run in set(HEXADECIMAL.findall(text))]
        for raw in runs:
            if len(raw) in DIGEST_BYTES:
                self.marks.add((DIGEST, raw.hex()))
            if depth and (inner := _readable(raw)):
                self.text(inner, depth - 1)


def _forms(text: str) -> Iterator[str]:
    """A text with its escapes undone; where Unicode knows a plainer form, in that too."""
    text = TERMINAL.sub("", text)
    for _ in range(3):
        undone = html.unescape(ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), text.replace("\\/", "/")))
        undone = urllib.parse.unquote(undone) if "%" in undone else undone
        if undone == text:
            break
        text = undone
    text = "".join(c for c in text if unicodedata.category(c) != "Cf") if not text.isascii() else text
    yield text
    if not text.isascii() and (plainer := unicodedata.normalize("NFKC", text)) != text:
        yield plainer


def _from_base64(run: str) -> bytes:
    """The bytes of a run of letters, if it is base64; else none."""
    bare = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    if run.islower() or run.isupper():  # a word, or hexadecimal
        return b""
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return b""


def _readable(raw: bytes) -> str:
    """The text that bytes hold; none where they hold something else."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if len(text) > 3 and all(c.isprintable() or c in "\r\n\t" for c in text) else ""


class _Reader(HTMLParser):
    """HTML as its texts; running text is added as a whole, so that names in neighbouring cells are seen."""

    def __init__(self, shown: Shown):
        super().__init__()
        self.shown = shown
        self.running: list[str] = []
        self.headers: list[str] = []
        self.cells: list[str] | None = None
        self.numeric: set[int] | None = None  # columns of the table that hold numbers; none: any may
        self.json = False
        self.drawn = 0  # within how many pictures; what they show stands in the data beside them

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.json = tag == "script" and given.get("type") == "application/json"
        self.drawn += tag == "svg"
        for name, value in given.items():
            if name == "aria-label" and self.drawn:
                self._described(value)
            elif name not in DRAWING:
                self.shown.text(value)
        if tag == "table":
            classes = given.get("class", "").split()
            ours = {int(name[1:]) for name in classes if re.fullmatch(r"n\d+", name)}  # see charts.show.table
            self.headers, self.numeric = [], ours if "clv-table" in classes else None
        elif tag == "tr":
            self.cells = []
        elif tag in ("td", "th") and self.cells is not None:
            self.cells.append("")

    def _described(self, label: str) -> None:
        """What Vega says of a mark: `Customers: 13085; Decile: 1`."""
        told = []
        for part in label.split("; "):
            name, _, value = part.rpartition(": ")
            self.shown.value(name, value)
            told.append(name if is_count(value) else part)
        self.shown.text("; ".join(told))

    def handle_endtag(self, tag: str) -> None:
        self.json = False
        self.drawn -= tag == "svg"
        if tag != "tr" or self.cells is None:
            return
        cells, self.cells = [cell.strip() for cell in self.cells], None
        if not self.headers:
            self.headers = cells
            return
        for column, cell in zip(self.headers, cells, strict=False):
            self.shown.value(column, cell)
        self.shown.row(cells)

    def handle_data(self, data: str) -> None:
        if self.json:
            self.shown.json(json.loads(data))
            return
        if self.cells:
            self.cells[-1] += data
            if is_count(data) and (self.numeric is None or len(self.cells) in self.numeric):
                return
        if data.strip() and not (self.drawn and is_count(data)):
            self.shown.text(data)
            self.running.append(data)

    def handle_comment(self, data: str) -> None:
        self.shown.text(data)

    def close(self) -> None:
        super().close()
        self.shown.text(" ".join(self.running))
