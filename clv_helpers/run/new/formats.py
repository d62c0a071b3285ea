"""As what texts can be read: days and moments in which format, numbers with which decimal mark, in which currency."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from clv_helpers.engines.dialect import column, expression, literal
from clv_helpers.engines.dialect import table as table_of
from clv_helpers.run.new.sample import Sample

ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?( ?(Z|UTC|[+-]\d\d(:?\d\d)?))?", re.ASCII)
DAYS = (
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%y", "%d/%m/%y",
    "%d.%m.%y", "%d-%m-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%Y%m%d",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", "T%H:%M:%S", " %H:%M:%S %z", " %H:%M %z")
SWAPPED = str.maketrans({"m": "d", "d": "m"})
EPOCHS = {"epoch seconds": 1, "epoch milliseconds": 1000}
SYMBOLS = {"€": "EUR", "£": "GBP", "$": "USD", "zł": "PLN", "¥": "JPY", "₹": "INR", "R$": "BRL", "kr": "SEK"}
CODES = (  # noqa: SIM905
    "EUR USD GBP CHF SEK NOK DKK PLN CZK HUF RON JPY CNY INR CAD AUD NZD BRL MXN ZAR TRY ILS SGD HKD KRW THB PKR AED"
).split()
UNIT = re.compile(rf"(R\$|[€£$¥₹]|zł|kr|\b(?:{'|'.join(CODES)})\b)", re.IGNORECASE)
NUMBERS = {
    ".": re.compile(r"[+-]?((\d{1,3}(,\d{3})+|\d+)(\.\d+)?|\.\d+)([eE][+-]?\d+)?"),
    ",": re.compile(r"[+-]?(([1-9]\d{0,2}([. ']\d{3})+|\d+)(,\d+)?)"),
}
CHECKED = 200  # values by which formats are ruled out before all are tried


@dataclass(frozen=True)
class Dates:
    """How a column writes its days: formats (none: as in ISO 8601), and those that would fit as well."""

    formats: tuple[str, ...]
    others: tuple[str, ...] = ()


def dates(sample: Sample, header: str) -> Dates | None:
    """How a column's values are days or moments, if they are: by the sample, then by all rows where two ways fit."""
    texts = list(dict.fromkeys(sample.texts(header)))
    if not texts:
        return None
    if _nearly_all(bool(ISO.fullmatch(text)) for text in texts):
        return Dates(())
    epoch = _epoch(texts)
    if epoch:
        return Dates((epoch,))
    found = [formats for day in DAYS if (formats := _formats(texts, day))]
    if len(found) > 1:
        found = _by_all_rows(sample, header, found)
    if not found:
        return None
    return Dates(found[0], tuple(other[0] for other in found[1:]))


def format_of(texts: list[str]) -> str:
    """The format in which nearly all texts are days or moments; empty for none."""
    found = (formats[0] for day in DAYS if (formats := _formats(texts, day)))
    return _epoch(texts) or next(found, "") if texts else ""


def _formats(texts: list[str], day: str) -> tuple[str, ...]:
    """The formats with this day, a time or none behind it, in which nearly all of the texts are written."""
    if day == "%Y%m%d" and not all(re.fullmatch(r"(19|20)\d{6}", text) for text in texts[:CHECKED]):
        return ()
    used: dict[str, int] = {}
    for part in (texts[:CHECKED], texts):
        used, missed = {}, 0
        for text in part:
            form = next((f"{day}{time}" for time in TIMES if _reads(text, f"{day}{time}")), "")
            if form:
                used[form] = used.get(form, 0) + 1
            else:
                missed += 1
                if missed > 0.02 * len(part):
                    return ()
    return tuple(sorted(used, key=lambda form: -used[form]))


def _reads(text: str, form: str) -> bool:
    try:
        moment = dt.datetime.strptime(text, form)
    except ValueError:
        return False
    return 1900 <= moment.year <= 2100 and not ("%Y" in form and re.search(r"\b0\d{3}\b", text))


def _nearly_all(fits: object) -> bool:
    found = list(fits)  # type: ignore[call-overload]
    return bool(found) and sum(found) >= 0.98 * len(found)


def _epoch(texts: list[str]) -> str:
    for name, per_second in EPOCHS.items():
        low, high = 631_152_000 * per_second, 4_102_444_800 * per_second  # 1990 to 2100
        if all(re.fullmatch(r"\d{9,13}(\.0)?", text) and low <= float(text) < high for text in texts):
            return name
    return ""


def _by_all_rows(sample: Sample, header: str, found: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Of several ways those with the fewest misses in all rows, the one in which the days follow each other first.

    A file is mostly written in the order of time: with day and month exchanged it would leap back and forth.
    """
    judged = []
    for formats in found:
        row = sample.session.rows(
            "SELECT COUNT(*) FILTER (WHERE at IS NULL) AS missed, COUNT(*) FILTER (WHERE at > NOW()::TIMESTAMP "
            "+ INTERVAL 1 DAY) AS ahead, COUNT(*) FILTER (WHERE at < before) AS back, COUNT(*) FILTER (WHERE "
            "at > before) AS forth FROM (SELECT at, LAG(at) OVER (ORDER BY _row) AS before FROM (SELECT _row, "
            "TRY_STRPTIME(TRIM($header), $formats) AS at FROM $rows WHERE TRIM($header) <> '') AS read) AS steps",
            header=column(header), rows=table_of(sample.table), formats=expression("$list", list=_list(formats)),
        )[0]  # fmt: skip
        steps = row["back"] + row["forth"]
        judged.append((row["missed"] + row["ahead"], min(row["back"], row["forth"]) / max(steps, 1), formats))
    fewest = min(missed for missed, _, _ in judged)
    best = sorted((leaps, formats) for missed, leaps, formats in judged if missed == fewest)
    calm = [formats for leaps, formats in best if leaps <= best[0][0] + 0.1]
    return sorted(calm, key=found.index)


def _list(formats: tuple[str, ...]):
    from sqlglot import exp

    return exp.Array(expressions=[literal(form) for form in formats])


def bare(text: str) -> str:
    """A number without its currency, blanks, and brackets or a trailing sign that make it negative."""
    text = UNIT.sub("", text).replace("\xa0", " ").strip()
    if re.fullmatch(r"\(.*\)", text):
        text = f"-{text[1:-1].strip()}"
    if text.endswith("-"):
        text = f"-{text[:-1]}"
    return re.sub(r"^([+-])\s+", r"\1", text)


def decimals(texts: list[str]) -> list[str]:
    """The decimal marks with which nearly all of the texts are numbers; none where they are no numbers."""
    plain = [bare(text) for text in texts]
    return [mark for mark, form in NUMBERS.items() if _nearly_all(bool(form.fullmatch(text)) for text in plain)]


def number(text: str, mark: str) -> float | None:
    """A text as a number with this decimal mark; None where it is none."""
    plain = bare(text)
    if not NUMBERS[mark].fullmatch(plain):
        return None
    grouped = r"[. ']" if mark == "," else ","
    return float(re.sub(grouped, "", plain).replace(mark, "."))


def unit_in(texts: list[str]) -> str:
    """The currency that most of the texts bear as a sign or a code; empty for none."""
    found = [match[1] for text in texts if (match := UNIT.search(text))]
    if len(found) < 0.5 * max(len(texts), 1):
        return ""
    sign = max(set(found), key=found.count)
    return SYMBOLS.get(sign, SYMBOLS.get(sign.lower(), sign.upper()))
