"""Which header is what: by its words and by what stands below it, over all rows where it matters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from clv_helpers.config import recipes
from clv_helpers.engines.dialect import column
from clv_helpers.run.new import expressions, formats, words
from clv_helpers.run.new.formats import Dates
from clv_helpers.run.new.sample import NewWorkbookError, Sample

MONEY = ("tax", "shipping", "discount", "refunded")
# By kind of file: what is looked for in it, what it cannot do without first.
KINDS = {
    "purchases": (
        "occurred_at", "customer_id", "email", "order_id", "amount", "price", "quantity", "currency", "status",
        "refund_of", *MONEY, "product_id", "product", "category", "customer_name",
    ),
    "customers": ("customer_id", "email", "first_name", "last_name", "email_consent", "joined_on", "region"),
    "email_events": (
        "message_id", "campaign", "customer_id", "email", "event_type", "occurred_at", "url", "user_agent",
        "bounce_type", "bounce_code",
    ),
}  # fmt: skip
TEXTS = ("customer_id", "order_id", "message_id", "campaign", "email", "product_id")
FEW = 60  # values that a category has at most, and a fifth of its rows; this many, whatever the rows
FEWEST = 12
FOREIGN = r"datum|kunden?\w*|betrag|fecha|cliente?|importe|montant|date de|data|totale|prix|preis\w*"
ORDERS = 10  # orders of several lines by which lines are judged


@dataclass
class Reading:
    """What a file is taken for: which header is what, how it is written, and what is in doubt.

    `headers` maps our names (and `price`, of which an amount may be calculated) to a header of the file.
    """

    dataset: str
    headers: dict[str, str]
    dates: Dates = field(default_factory=lambda: Dates(()))
    decimal: str = "."
    unit: str = ""
    amount_sql: str = ""
    lines: bool = False
    price_told: bool = False
    preset: str = ""
    unit_told: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def category(self) -> str:
        return self.headers.get("category", "")


def read(sample: Sample) -> Reading:
    """What the files of a sample are. Raises NewWorkbookError where needed columns are not recognised."""
    if not sample.rows:
        raise NewWorkbookError(f"{sample.files[0]} has no rows; allowed: a file of purchases, one or more")
    finder, told = Finder(sample), recipes.recognised(sample.headers)
    if told:
        return finder.by_recipe(told[0])
    for dataset in ("email_events", "purchases", "customers"):
        found = finder.headers(dataset)
        if _is(dataset, found):
            return finder.reading(dataset, found)
    found = finder.headers("purchases")
    needed = {"customer_id": "the customer", "occurred_at": "the date", "amount": "the amount"}
    lacking = next((what for role, what in needed.items() if role not in found), "the customer")
    raise NewWorkbookError(
        f"{sample.files[0]}: no column is recognised as {lacking} (its columns: {', '.join(sample.headers)}); allowed: "
        "headers such as customer_id, date and amount, with days like 2026-01-31 and numbers like 12.50; or clv new "
        "without --from, which gives params to fill in"
    )


def _is(dataset: str, found: dict[str, str]) -> bool:
    if "customer_id" not in found:
        return False
    match dataset:
        case "email_events":
            return {"event_type", "campaign", "occurred_at"} <= set(found)
        case "purchases":
            return "occurred_at" in found and ("amount" in found or "price" in found)
    return len(set(found) & {"email", "first_name", "last_name", "email_consent", "joined_on"}) >= 1


def chosen(sample: Sample, dataset: str, headers: dict[str, str]) -> Reading:
    """The reading that a person's choice of headers makes. Raises NewWorkbookError where one that is needed lacks."""
    if dataset == "purchases" and not _is(dataset, headers):
        needed = {"customer_id": "the customer", "occurred_at": "the date", "amount": "the amount"}
        lacking = " and ".join(what for role, what in needed.items() if role not in headers)
        raise NewWorkbookError(f"no column is {lacking} yet; allowed: one of {', '.join(sample.headers)}")
    return Finder(sample).reading(dataset, headers, chosen=True)


class Finder:
    """Looks headers over; what stands below one is looked at once for each purpose."""

    def __init__(self, sample: Sample):
        self.sample = sample

    def dates(self, header: str) -> Dates | None:
        return self.sample.once(("dates", header), lambda: formats.dates(self.sample, header))

    def marks(self, header: str) -> list[str]:
        return self.sample.once(("marks", header), lambda: formats.decimals(self.sample.texts(header)))

    def headers(self, dataset: str) -> dict[str, str]:
        """Role → header: the best of all pairs first, each header and each role once."""
        pairs = []
        for place, role in enumerate(KINDS[dataset]):
            for position, header in enumerate(self.sample.headers):
                rank = words.rank(role, header)
                if rank is not None and self.fits(role, header):
                    pairs.append((rank, place, position, role, header))
        found: dict[str, str] = {}
        for _, _, _, role, header in sorted(pairs):
            if role not in found and header not in found.values():
                found[role] = header
        if dataset == "purchases":
            self._complete(found)
        elif "customer_id" not in found and "email" in found:
            found["customer_id"] = found["email"]
        return found

    def _complete(self, found: dict[str, str]) -> None:
        """What the words alone do not tell: the only date, and who is a customer where no number says it."""
        if "occurred_at" not in found:
            free = [h for h in self.sample.headers if h not in found.values() and self.is_date(h)]
            if len(free) == 1 and not re.search(rf"\b({words.AGAINST['occurred_at']})\b", words.plain(free[0])):
                found["occurred_at"] = free[0]
        for stand_in in ("email", "customer_name"):
            if "customer_id" not in found and stand_in in found:
                found["customer_id"] = found[stand_in]
        if "amount" not in found and "price" in found and "quantity" not in found:
            found["amount"] = found.pop("price")

    def is_date(self, header: str) -> bool:
        found = self.dates(header)
        return found is not None and not (found.formats and found.formats[0] in formats.EPOCHS)

    def fits(self, role: str, header: str) -> bool:
        """Whether what stands below a header can be this."""
        texts = self.sample.texts(header)
        with_value, different = self.sample.counts[header]
        if not texts:
            return False
        match role:
            case "occurred_at" | "joined_on":
                return with_value >= 0.9 * self.sample.rows and self.dates(header) is not None
            case "amount" | "price" | "quantity" | "tax" | "shipping" | "discount" | "refunded":
                return bool(self.marks(header)) and not self.is_date(header)
            case "customer_id":
                return not self.is_date(header) and not self._fractions(texts)
            case "order_id":
                return self._tells_orders(header, with_value, different)
            case "email":
                return sum("@" in text for text in texts) >= 0.8 * len(texts)
            case "currency":
                return different <= 30 and all(re.fullmatch(r"[A-Za-z]{3}|\W{1,2}|zł|kr", text) for text in texts)
            case "status":
                return different <= 40 and self._share(header, words.REFUNDED, words.LEFT_OUT, words.COUNTED) >= 0.5
            case "event_type":
                return different <= 60 and self._share(header, *map(re.compile, words.EVENTS.values())) >= 0.5
            case "category":
                return 2 <= different <= FEW and (different <= FEWEST or different <= 0.2 * with_value)
            case "product" | "customer_name":
                return not self.marks(header) and different > 1
        return True

    def _tells_orders(self, header: str, with_value: int, different: int) -> bool:
        texts = self.sample.texts(header)
        if self.is_date(header) or self._fractions(texts) or different < 2 or with_value < 0.5 * self.sample.rows:
            return False
        return different > 0.02 * with_value

    @staticmethod
    def _fractions(texts: list[str]) -> bool:
        return sum(
            bool(re.search(r"[.,]\d*[1-9]", text)) and bool(re.fullmatch(r"[-\d.,]+", text)) for text in texts
        ) > 0.05 * len(texts)

    def _share(self, header: str, *known: re.Pattern[str]) -> float:
        found = self.sample.frequent(header)
        fitting = sum(n for value, n in found.items() if any(form.fullmatch(words.plain(value)) for form in known))
        return fitting / max(sum(found.values()), 1)

    def by_recipe(self, name: str) -> Reading:
        """The reading of an export that a recipe knows; what the recipe does not say is looked for."""
        known = recipes.recipe(name)
        given = {ours: [spec] if isinstance(spec, str) else spec for ours, spec in known.source["columns"].items()}
        first = {
            ours: [h for h in spec if h in self.sample.headers]
            for ours, spec in given.items()
            if isinstance(spec, list)
        }
        reading = Reading(known.dataset, {ours: found[0] for ours, found in first.items() if found}, preset=name)
        if known.dataset == "purchases":
            category = self.headers("purchases").get("category", "")
            if category and category not in str(known.source):  # what the recipe reads it for
                reading.headers["category"] = category
            self._read_currency(reading)
        return reading

    def reading(self, dataset: str, found: dict[str, str], chosen: bool = False) -> Reading:
        """The reading that these headers make; `chosen`: a person says so, and is not contradicted."""
        reading = Reading(dataset, found)
        moment = found.get("occurred_at") or found.get("joined_on")
        if moment:
            reading.dates = self.settled(self.dates(moment))
        if dataset == "purchases":
            self._read_orders(reading, chosen)
            self._read_amount(reading, chosen)
            reading.decimal = self._decimal(reading)
            self._read_currency(reading)
        return reading

    def settled(self, dates: Dates | None) -> Dates:
        """Of two ways that fit alike, the day first where commas are the decimals or the headers are not English."""
        dates = dates or Dates(())
        swapped = [
            other for other in dates.others if dates.formats and other == dates.formats[0].translate(formats.SWAPPED)
        ]
        if not swapped:
            return dates
        day_first = any(self.marks(h) == [","] for h in self.sample.headers) or _foreign(self.sample.headers)
        first = dates.formats[0].startswith("%d") == day_first
        kept = dates.formats if first else tuple(form.translate(formats.SWAPPED) for form in dates.formats)
        return Dates(kept, (kept[0].translate(formats.SWAPPED),))

    def _read_orders(self, reading: Reading, chosen: bool) -> None:
        """Whether rows share orders; an order number under which several customers stand is none."""
        order, who = reading.headers.get("order_id"), reading.headers["customer_id"]
        if order is None:
            return
        shared = self.sample.session.rows(
            "SELECT COUNT(*) FILTER (WHERE lines > 1) AS several, COUNT(*) FILTER (WHERE customers > 1) AS mixed, "
            "COUNT(*) AS orders FROM (SELECT COUNT(*) AS lines, COUNT(DISTINCT $who) AS customers FROM $rows "
            "WHERE TRIM($order_id) <> '' GROUP BY TRIM($order_id)) AS each",
            who=column(who), order_id=column(order), rows=_table(self.sample),
        )[0]  # fmt: skip
        if shared["mixed"] > 0.05 * shared["orders"] and not chosen:
            del reading.headers["order_id"]
        else:
            reading.lines = shared["several"] > 0

    def _read_amount(self, reading: Reading, chosen: bool) -> None:
        """A total of the row, else quantity times unit price; never an order's total on each line of it."""
        found = reading.headers
        product = {"price", "quantity"} <= set(found)
        if reading.lines and "amount" in found and self._stands_on_each_line(reading):
            if product and not chosen:
                reading.notes.append(f"{found['amount']} is the order's total on each of its lines: not summed")
                del found["amount"]
            else:
                reading.notes.append(
                    f"{found['amount']} is the same on all lines of an order: if it is the order's total, it counts as "
                    "often as the order has lines"
                )
        if "amount" not in found and product:
            found["amount"] = found["price"]
            if self._is_of_one_piece(reading) is False and not chosen:
                return
            reading.amount_sql = expressions.product(found["quantity"], found["price"])

    def _is_of_one_piece(self, reading: Reading) -> bool | None:
        """Whether a product's price stays the same however many are bought; None where nothing tells."""
        found, mark = reading.headers, self.marks(reading.headers["price"])[0]
        product = found.get("product_id") or found.get("product")
        if product is None:
            return None
        each: dict[str, list[tuple[float, float]]] = {}
        values = self.sample.values
        for name, price, quantity in zip(
            values[product], values[found["price"]], values[found["quantity"]], strict=True
        ):
            pair = formats.number(price, mark), formats.number(quantity, ".")
            if pair[0] and pair[1] and pair[1] > 0:
                each.setdefault(name, []).append((pair[0], pair[1]))
        steady = [
            len({price for price, _ in pairs}) - len({round(price / quantity, 4) for price, quantity in pairs})
            for pairs in each.values()
            if len({quantity for _, quantity in pairs}) > 1
        ]
        one, row = sum(step < 0 for step in steady), sum(step > 0 for step in steady)
        if one + row < 5 or max(one, row) < 0.8 * (one + row):
            return None
        reading.price_told = True
        return one > row

    def _stands_on_each_line(self, reading: Reading) -> bool:
        row = self.sample.session.rows(
            "SELECT COUNT(*) AS orders, COUNT(*) FILTER (WHERE amounts = 1) AS same FROM (SELECT "
            "COUNT(DISTINCT $amount) AS amounts FROM $rows WHERE TRIM($order_id) <> '' GROUP BY TRIM($order_id) "
            "HAVING COUNT(*) > 1) AS each",
            amount=column(reading.headers["amount"]), order_id=column(reading.headers["order_id"]),
            rows=_table(self.sample),
        )[0]  # fmt: skip
        return row["orders"] >= ORDERS and row["same"] >= 0.95 * row["orders"]

    def _decimal(self, reading: Reading) -> str:
        """The mark with which all of the numbers can be read; where both can be, a comma in files with semicolons."""
        numbers = [reading.headers[role] for role in ("amount", "price", *MONEY) if role in reading.headers]
        marks = [self.marks(header) for header in numbers]
        if any(found == [","] for found in marks):
            return ","
        if any(found == ["."] for found in marks) or not any(
            "," in t or "." in t for h in numbers for t in self.sample.texts(h)
        ):
            return "."
        return "," if _foreign(self.sample.headers) else "."

    def _read_currency(self, reading: Reading) -> None:
        """From the column of currencies, the header or the values of the amount, the country that most come from."""
        amount = reading.headers.get("amount") or reading.headers.get("price", "")
        if "currency" in reading.headers:
            most = next(iter(self.sample.frequent(reading.headers["currency"])), "")
            reading.unit = formats.SYMBOLS.get(most, most.upper())
            return
        miles = re.search(r"\b(miles|points)\b", words.plain(amount))
        told = formats.unit_in([amount]) or formats.unit_in(self.sample.texts(amount) if amount else [])
        reading.unit = miles[1] if miles else told
        if not reading.unit:
            reading.unit = self._by_country() or ("EUR" if reading.decimal == "," else "USD")
            reading.unit_told = False

    def _by_country(self) -> str:
        for header in self.sample.headers:
            if re.search(r"\b(country|land|pays|pais|paese|country code)\b", words.plain(header)):
                spent: dict[str, int] = {}
                for value, n in self.sample.frequent(header).items():
                    unit = words.COUNTRIES.get(words.plain(value), "")
                    spent[unit] = spent.get(unit, 0) + n
                most = max(spent, key=lambda unit: spent[unit], default="")
                if spent.get(most, 0) >= 0.5 * self.sample.counts[header][0]:
                    return most
        return ""


def _foreign(headers: list[str]) -> bool:
    """Whether the headers are of a language that writes the day first and a comma in numbers."""
    text = " ".join(words.plain(header) for header in headers)
    return bool(
        re.search(
            r"\b(datum|kunden?\w*|betrag|fecha|cliente?|importe|montant|date de|data|totale|prix|preis\w*)\b", text
        )
    )


def _table(sample: Sample) -> Any:
    from clv_helpers.engines.dialect import table

    return table(sample.table)
