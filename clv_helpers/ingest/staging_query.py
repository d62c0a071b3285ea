"""The query that reads the rows of a file: typed, with what is wrong with each.

Five layers, each a SELECT over the one before: the rows of the file; what is calculated of them (`row_sql`); the values
they hold (`writings`); what amounts come to (`money`); what is wrong with a row, or for which reason it is left out
(`left_out`).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlglot import exp

from clv_helpers.config.datasets import COSTS, PRIMARY_IDENTITY, ColumnContract
from clv_helpers.config.params import Params
from clv_helpers.config.same import Same
from clv_helpers.config.sources import CsvFormat, Source
from clv_helpers.engines.dialect import cast, column, expression, to_sql
from clv_helpers.engines.file_scan import Kind
from clv_helpers.ingest import left_out, money, row_sql, writings
from clv_helpers.ingest.forgotten import REASON, Forgotten
from clv_helpers.ingest.writings import Writing

# After a column's name: what its expression gives, once for all that is read of it. No header ends in a blank.
CALCULATED = " as calculated "
WRITTEN = " as written"  # after a column's name: what the file has of it
NO_FAULT = "CAST(NULL AS STRUCT(name TEXT, value TEXT, reason TEXT))"
FAULT = "{'name': $name, 'value': $value, 'reason': $reason}"
RAW = "SELECT ROW_NUMBER() OVER () AS _row, *, $renamed FROM rows_of_file"
IS_GUEST = "customer_id IS NULL AND NOT COALESCE($is_error, FALSE)"  # an id whose look-up failed is no guest's
JOINED = "CASE WHEN $is_error THEN NULL ELSE $guest END"
SORTED = "SELECT *, COALESCE(_aside, $left_out) AS _left_out FROM priced"
JUDGED = "SELECT *, CASE WHEN _left_out IS NULL THEN $first_fault END AS _fault FROM sorted"
# Of the good rows of a lookup, or of costs, the first of each key.
ONCE = """
    SELECT * EXCLUDE (_fault), CASE
        WHEN _left_out IS NULL AND _fault IS NULL AND 1 < ROW_NUMBER() OVER (
            PARTITION BY $key, _fault IS NULL AND _left_out IS NULL ORDER BY _row
        ) THEN $twice ELSE _fault END AS _fault
    FROM found
"""
TWICE = "stands in an earlier row too, and a lookup has each key once"
TWICE_A_MONTH = "stands in an earlier row of this month too, and a month has one cost of each channel"
MONTH_AND_CHANNEL = "{'month': SUBSTRING(month, 1, 7), 'channel': TRIM(channel)}"
STAGED = """
    SELECT _row, $names, _left_out, _currency,
    _fault.name AS _column, _fault.value AS _value, _fault.reason AS _reason FROM judged
"""
NO_CURRENCY = "is empty, and the row has an amount"


@dataclasses.dataclass(frozen=True)
class Read:
    """How one column is read: what the file has, how that is written; of one that is calculated, of what."""

    contract: ColumnContract
    raw: exp.Expression
    writing: Writing
    operands: tuple[str, ...] = ()
    calculated: exp.Expression | None = None

    @property
    def name(self) -> str:
        return self.contract.name

    def value(self) -> exp.Expression:
        """The value in the contract's type."""
        return writings.value(self.contract, self.raw, self.writing).copy()  # which is kept


class Shape(NamedTuple):
    """What the query of a file hangs on: all but where the file is and what its rows hold.

    `other_names`: names that expressions may use, and the header that the file has for each; `types`: of a Parquet
    file's columns.
    """

    dataset: str
    contract: tuple[ColumnContract, ...]
    kind: Kind
    other_names: tuple[tuple[str, str], ...]
    types: tuple[tuple[str, str], ...]
    forgotten: Forgotten | None


@functools.lru_cache(maxsize=20)  # a stream asks for the same with each event
def staging_query(given: Same[Params], shape: Shape) -> tuple[str, tuple[str, ...]]:
    """The query, as SQL, over `rows_of_file`, whose values are text, of Parquet in its types; and the typed columns.

    It gives `_row` (from 1), these columns, `_left_out`, `_currency`, and `_column`, `_value`, `_reason` of the first
    fault. Where there are rates, it reads them as `money.load_rates` leaves them.
    """
    params, dataset = given.thing, shape.dataset
    source = params.sources[dataset]
    writing = _writing(params, source, shape.kind)
    reads = [_read(each, writing, dict(shape.types)) for each in shape.contract]
    renamed = [column(header).as_(name, quoted=True) for name, header in shape.other_names]
    layers: dict[str, exp.Expression] = {"raw": expression(RAW, renamed=renamed)}
    columns = _typed(params, dataset, reads, writing)
    calculated = [each.calculated.as_(each.raw.name, quoted=True) for each in reads if each.calculated]
    layers["calculated"] = exp.select("*", *calculated).from_("raw")
    layers["typed"] = _over("calculated", columns)
    if dataset == "purchases":
        rows, columns = _priced(params, reads, list(columns))
        layers |= rows
    else:
        layers["priced"] = exp.select("*").from_("typed")
    written = writings.as_text(column(PRIMARY_IDENTITY + WRITTEN))
    is_guest = expression(IS_GUEST, is_error=writings.is_excel_error(written))
    by_values = left_out.by_values(source, {each.name for each in reads}, is_guest)
    layers["sorted"] = expression(SORTED, left_out=by_values)
    layers["judged"] = expression(JUDGED, first_fault=_first_fault(params, dataset, reads, shape.forgotten))
    if key := params.lookups.get(dataset):
        twice = _fault(key, cast(column(key), "text"), TWICE)
        layers["found"] = layers.pop("judged")
        layers["judged"] = expression(ONCE, key=column(key), twice=twice)
    if dataset == COSTS:
        twice = _fault("channel", column("channel"), TWICE_A_MONTH)
        layers["found"] = layers.pop("judged")
        layers["judged"] = expression(ONCE, key=expression(MONTH_AND_CHANNEL), twice=twice)
    kept = [name for name in columns if not name.startswith("_") and not name.endswith(WRITTEN)]
    query: Any = expression(STAGED, names=[column(name) for name in kept])
    for name, layer in layers.items():
        query = query.with_(name, as_=layer, copy=False)
    return to_sql(query), tuple(kept)


def _writing(params: Params, source: Source, kind: Kind) -> Writing:
    """How the values of a file are written: a decimal mark is of CSV, and files that know types may write ISO 8601."""
    form = source.csv if kind == "csv" else CsvFormat()
    said = "decimal" in form.model_fields_set
    return Writing(form.decimal, said, tuple(source.csv.dates), params.time_zone, also_iso=kind != "csv")


def _read(contract: ColumnContract, writing: Writing, types: Mapping[str, str]) -> Read:
    if contract.sql:
        row = row_sql.row_expression(contract.sql, writing, contract.type in writings.NUMBERS)
        raw = column(contract.name + CALCULATED)
        return Read(contract, raw, Writing() if row.is_number else writing, row.numbers, row.tree)
    first, *others = [column(header) for header in contract.alternatives or (contract.header,)]
    if others:
        return Read(contract, exp.Coalesce(this=first, expressions=others), writing)
    held = writings.held_as(types.get(first.name, ""))
    return Read(contract, first, dataclasses.replace(writing, held_as=held))


def _typed(params: Params, dataset: str, reads: list[Read], writing: Writing) -> dict[str, exp.Expression]:
    """The columns of the second layer: the values of the file's rows, and beside each what the file has."""
    source = params.sources[dataset]
    values = {each.name: each.value() for each in reads}
    if source.guests == "join by email":
        raw = next(each.raw for each in reads if each.name == PRIMARY_IDENTITY)
        guest = left_out.guest_id(values[PRIMARY_IDENTITY], values["email"])
        values[PRIMARY_IDENTITY] = expression(
            JOINED, is_error=writings.is_excel_error(writings.as_text(raw)), guest=guest
        )
    return {
        **values,
        **{each.name + WRITTEN: each.raw for each in reads},
        "_aside": left_out.by_headers(source, writing),
        "_operand": _unread_operand(reads, writing),
        "_currency": _currency(params, reads) if dataset == "purchases" else cast(exp.null(), "text"),
    }


def _over(layer: str, columns: Mapping[str, exp.Expression]) -> exp.Select:
    """These columns over a layer."""
    listed = [exp.alias_(value, name, quoted=True, copy=False) for name, value in columns.items()]
    return exp.select("_row", *listed, copy=False).from_(layer)


def _unread_operand(reads: list[Read], writing: Writing) -> exp.Expression:
    """The fault of the first header that an expression calculates with and that holds no number."""
    first = exp.Case()
    for each in reads:
        for header in each.operands:
            text = writings.as_text(column(header))
            reason = f"is no number ({header}){writings.how_to_write('number', writing)}"
            first = first.when(row_sql.unread(header, writing), _fault(each.name, text, reason), copy=False)
    return first if first.args.get("ifs") else expression(NO_FAULT)


def _currency(params: Params, reads: list[Read]) -> exp.Expression:
    """The currency of a row: of its column, else as written with its amounts."""
    unit, names = money.unit_of(params), [each.name for each in reads]
    own = [each.raw for each in reads if each.name == "currency"]
    marked = money.measured(params, names)
    amounts = [each for each in reads if each.name in marked]
    marks: list[exp.Expression] = [column(header) for each in amounts for header in each.operands]
    marks += [each.raw for each in amounts if not each.contract.sql and not each.writing.held_as]
    written = [*map(writings.as_text, own), *map(writings.currency_mark, marks)]
    return money.currency(written, unit) if written else cast(exp.null(), "text")


def _priced(
    params: Params, reads: list[Read], names: list[str]
) -> tuple[dict[str, exp.Expression], dict[str, exp.Expression]]:
    """The layers that say what amounts come to, and their columns."""
    kinds = {each.name: each.contract.type for each in reads}
    source, unit = params.sources["purchases"], money.unit_of(params)
    layers: dict[str, exp.Expression] = {}
    if params.rates:
        layers["rated"] = expression(money.RATED)
    columns: dict[str, exp.Expression] = {name: column(name) for name in names}
    columns |= money.net(source, list(kinds))
    for name in money.columns_of_money(params, list(columns)):
        in_unit = (money.converted if params.rates else money.same_currency)(columns[name], unit)
        columns[name] = writings.try_cast(in_unit, kinds.get(name, "decimal"))
    if params.rates:
        columns["_rate"] = exp.column("_rate")
    layers["priced"] = _over(next(iter(layers), "typed"), columns)
    return layers, columns


def _first_fault(params: Params, dataset: str, reads: list[Read], forgotten: Forgotten | None) -> exp.Expression:
    """What is wrong with a row, the plainest first; NULL for nothing."""
    first = exp.Case()
    summed = {"quantity", params.value.column, params.spending.column}
    if forgotten and any(each.name == PRIMARY_IDENTITY for each in reads):
        test = forgotten.test(column(PRIMARY_IDENTITY))
        first = first.when(test, _fault(PRIMARY_IDENTITY, exp.null(), REASON), copy=False)
    if dataset == "purchases":
        for test, value, reason in _currency_faults(params, [each.name for each in reads]):
            first = first.when(test, _fault("currency", value, reason), copy=False)
    for name, fails, reason in _cost_faults() if dataset == COSTS else ():
        first = first.when(expression(fails), _fault(name, cast(column(name), "text"), reason), copy=False)
    for each in reads:
        text = writings.as_text(column(each.name + WRITTEN))
        is_summed = dataset == "purchases" and each.name in summed
        for test, reason in writings.faults(each.contract, text, column(each.name), each.writing, is_summed):
            first = first.when(test, _fault(each.name, text, reason), copy=False)
    return expression("COALESCE(_operand, $first)", first=first)


def _cost_faults() -> Iterator[tuple[str, str, str]]:
    """What can be wrong with a row of costs beside its types: the column, the test, and the reason."""
    is_month = r"REGEXP_MATCHES(TRIM(month), '^\d{4}-(0[1-9]|1[0-2])(-\d{2}.*)?$')"
    yield "month", f"NOT {is_month} AND TRIM(month) <> ''", "is no month (written like 2024-01, or a day of it)"
    yield "cost", "cost < 0", "is below zero"


def _currency_faults(params: Params, names: list[str]) -> Iterator[tuple[exp.Expression, exp.Expression, str]]:
    unit = money.unit_of(params)
    if "currency" in names and "amount" in names:
        yield expression("_currency IS NULL AND amount <> 0"), exp.null(), NO_CURRENCY
    if params.rates:
        test = expression("_currency <> $unit AND _rate IS NULL", unit=unit)
        yield test, exp.column("_currency"), f"has no rate on its day or before in {params.rates}"


def _fault(name: str, value: exp.Expression, reason: str) -> exp.Expression:
    return expression(FAULT, name=name, value=value, reason=reason)
