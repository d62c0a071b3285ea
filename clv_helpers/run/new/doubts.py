"""What is asked before a workbook is written: at most five questions, each with a default; what an answer changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clv_helpers.engines.dialect import column, expression, table
from clv_helpers.ingest.writings import identifier
from clv_helpers.models.table_file import SQL_FOLDER, read_table
from clv_helpers.run.new import expressions, formats, words
from clv_helpers.run.new.draft import Draft
from clv_helpers.run.new.guess import Reading
from clv_helpers.run.new.sample import Sample

MOST = 5
PURCHASES = "sources.purchases"
BY_CUSTOMER = """
    SELECT customer_id, COUNT(*) AS events, CAST(NULL AS DECIMAL(18, 4)) AS spend
    FROM (SELECT $who AS customer_id FROM $rows) AS r WHERE NOT customer_id IS NULL GROUP BY customer_id
"""
RARE = 0.05  # of all products, which a shape of code has at most among fees


@dataclass(frozen=True)
class Question:
    """A question, and its answers: what each says, and what it changes in the draft. The first is the default."""

    key: str
    text: str
    answers: dict[str, dict[str, Any]]

    @property
    def default(self) -> str:
        return next(iter(self.answers))


def questions(made: Draft) -> list[Question]:
    """What is in doubt and matters, the weightiest first: the first MOST are asked, the others take their defaults."""
    sample, reading = made.samples["purchases"][0], made.readings["purchases"][0]
    return [
        *_dates(reading), *_amount(sample, reading), *_currencies(sample, reading), *_currency(reading),
        *_collective(sample, reading), *_guests(sample, reading), *_fees(sample, reading), *_within(reading),
    ]  # fmt: skip


def answered(made: Draft, asked: list[Question], answers: dict[str, str]) -> Draft:
    """The draft with an answer to each question, by the question's key; without one, its default."""
    for question in asked:
        made = made.with_changes(question.answers[answers.get(question.key, question.default)])
    return made


def _dates(reading: Reading) -> Iterator[Question]:
    if reading.dates.others:
        both = [list(reading.dates.formats), [form.translate(formats.SWAPPED) for form in reading.dates.formats]]
        answers = {
            ("day first" if forms[0].startswith("%d") else "month first") + f" ({forms[0]})":
                {f"{PURCHASES}.csv.dates": forms[0] if len(forms) == 1 else forms}
            for forms in both
        }  # fmt: skip
        header = reading.headers["occurred_at"]
        yield Question(
            "dates", f"All values of {header} can be read with the day or the month first: which is it?", answers
        )


def _amount(sample: Sample, reading: Reading) -> Iterator[Question]:
    """Whether a price is of one piece, where no total beside it tells."""
    price, quantity = reading.headers.get("price"), reading.headers.get("quantity")
    if (
        reading.amount_sql
        and not reading.price_told
        and price
        and quantity
        and not re.search(r"\b(unit|einzel\w*|each|stuck\w*)\b", words.plain(price))
    ):
        counts = [formats.number(text, reading.decimal) for text in sample.texts(quantity)]
        if all(count in (1, None) for count in counts):
            return
        place = f"{PURCHASES}.columns.amount"
        yield Question(
            "amount",
            f"Is {price} the price of one piece, or of the whole row?",
            {
                f"one piece: {reading.amount_sql}": {place: {"sql": reading.amount_sql}},
                f"the whole row: {price}": {place: price},
            },
        )


def _currencies(sample: Sample, reading: Reading) -> Iterator[Question]:
    """Several currencies in one file, and no rates: none is summed as another."""
    header = reading.headers.get("currency")
    found = sample.frequent(header) if header else {}
    units = list(dict.fromkeys(_unit(value) for value in found))
    if header and len(units) > 1:
        ours = [value for value in found if _unit(value) == reading.unit]
        rule = expressions.one_of(header, ours, negated=True)
        yield Question(
            "currencies",
            f"Amounts stand in {' and '.join(units)}, and there are no exchange rates yet: what is to become of them?",
            {
                f"only {reading.unit} counts, the others are left out and told": {
                    f"{PURCHASES}.leave_out.other currencies": rule
                },
                "exchange them by the rates in rates.csv, which I write": {"rates": "rates.csv"},
            },
        )


def _unit(value: str) -> str:
    return formats.SYMBOLS.get(value.strip(), value.strip().upper())


def _currency(reading: Reading) -> Iterator[Question]:
    if not reading.unit_told:
        units = list(dict.fromkeys([reading.unit, "EUR", "USD", "GBP", "CHF"]))
        yield Question("currency", "In which currency are the amounts?", {unit: {"value.unit": unit} for unit in units})


def _collective(sample: Sample, reading: Reading) -> Iterator[Question]:
    """The id that is likeliest nobody's, judged as `clv check` and derived.collective_account do."""
    if "customer_id" not in reading.headers:
        return
    for row in _suspects(sample, reading.headers["customer_id"])[:1]:
        value = row["customer_id"]
        leave: dict[str, Any] = {f"{PURCHASES}.exclude": [value]}
        answers = {
            "nobody's: leave its rows out, and tell them": leave,
            "a customer like others": {f"{PURCHASES}.exclude": None},
        }
        if row["looks_like"] != "name":
            answers = dict(reversed(answers.items()))
        share = row["events"] / sample.rows
        text = f"The id {value} has {share:.0%} of all rows: is it a customer, or a collective account?"
        yield Question("collective", text, answers)


def _suspects(sample: Sample, header: str) -> list[dict[str, Any]]:
    """The rows of the table derived.collective_account, of the sample's rows; that with most of them first."""
    query = read_table(SQL_FOLDER / "derived" / "collective_account.sql").query.copy()
    [counted] = [each for each in query.ctes if each.alias == "by_customer"]
    counted.set("this", expression(BY_CUSTOMER, who=identifier(column(header)), rows=table(sample.table)))
    return sorted(sample.session.rows(query), key=lambda row: -row["events"])


def _guests(sample: Sample, reading: Reading) -> Iterator[Question]:
    who, email = reading.headers.get("customer_id"), reading.headers.get("email")
    blank = sample.rows - sample.counts[who][0] if who else 0
    if blank and not reading.preset and email and email != who:
        yield Question(
            "guests",
            f"{blank:,} of {sample.rows:,} rows have no {who}: whose are they?",
            {
                f"each {email} is a customer": {f"{PURCHASES}.guests": "join by email"},
                "nobody's: leave them out, and tell them": {f"{PURCHASES}.guests": "leave out"},
            },
        )


def fees(sample: Sample, reading: Reading) -> tuple[str, list[str]]:
    """The header that tells postage, bank charges and the like, and the values that do; none: no such."""
    code, name = reading.headers.get("product_id"), reading.headers.get("product")
    if not (code or name):
        return "", []
    told = code or name or ""
    shown = column(name or told)
    rows = sample.session.rows(
        "SELECT TRIM($told) AS code, MODE($shown) AS name FROM $rows WHERE TRIM($told) <> '' GROUP BY TRIM($told) "
        "ORDER BY COUNT(*) DESC, code",
        told=column(told), shown=shown, rows=table(sample.table),
    )  # fmt: skip
    shapes: dict[str, int] = {}
    for row in rows:
        shapes[_shape(row["code"])] = shapes.get(_shape(row["code"]), 0) + 1
    found = []
    for row in rows:
        said = f"{words.plain(row['code'] if code else '')} {words.plain(row['name'] or '')}".strip()
        odd = shapes[_shape(row["code"])] <= RARE * len(rows) if code else len(said.split()) <= 3
        if odd and words.FEES.fullmatch(said):
            found.append(row["code"])
    return told, found[:40]


def _shape(code: str) -> str:
    """What a code looks like: digits and letters; 85123A and 20725 are alike."""
    return re.sub(r"\d+", "9", re.sub(r"[A-Za-z]+", "A", code)).rstrip("A") or "A"


def _fees(sample: Sample, reading: Reading) -> Iterator[Question]:
    header, codes = fees(sample, reading)
    if codes:
        some = ", ".join(codes[:6]) + (" …" if len(codes) > 6 else "")
        rule = expressions.one_of(header, codes)
        yield Question(
            "fees",
            f"{len(codes)} values of {header} look like postage, charges or corrections ({some}): do their "
            "amounts count?",
            {"they count": {}, "leave them out, and tell them": {f"{PURCHASES}.leave_out.fees": rule}},
        )


def _within(reading: Reading) -> Iterator[Question]:
    """Tax and shipping in a total."""
    beside = [role for role in ("tax", "shipping") if role in reading.headers]
    amount = words.plain(reading.headers.get("amount", ""))
    if beside and re.search(r"tota|gesamt|ttc", amount) and not re.search(r"\b(net|sub|ht|netto|untaxed)\b", amount):
        yield Question(
            "within",
            f"Does {reading.headers['amount']} count with {' and '.join(beside)}, as it stands?",
            {"as it stands": {}, f"without {' and '.join(beside)}": {f"{PURCHASES}.amount_without": beside}},
        )
