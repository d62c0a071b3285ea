"""Events that came before, by their key; and rows that share a key and differ, which are no repeats but a question."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from clv_helpers.config.datasets import EVENT_KEY, ColumnContract
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, expression, table
from clv_helpers.engines.session import Session
from clv_helpers.ingest.staging import IngestError

ORDER = "order_id"
# What of the staged rows has a key: `good`.
KEYED = """
    SELECT * FROM staged WHERE _reason IS NULL AND _left_out IS NULL AND NOT event_id IS NULL
"""
REPEATS = """
    WITH good AS ($keyed),
    firsts AS (
        SELECT event_id, MIN(_row) AS first_row FROM good GROUP BY event_id HAVING COUNT(*) > 1
    )
    SELECT g._row FROM good AS g JOIN firsts AS f ON f.event_id = g.event_id WHERE g._row > f.first_row
    UNION
    -- the bounds spare what an engine knows to lie outside them: of a lake whose ids ascend, all but the newest
    SELECT g._row FROM good AS g WHERE g.event_id IN (
        SELECT e.event_id FROM $lake_table AS e
        WHERE e.event_id >= (SELECT MIN(event_id) FROM good) AND e.event_id <= (SELECT MAX(event_id) FROM good)
    )
"""
DIFFERING = """
    WITH good AS ($keyed),
    shared AS (
        SELECT event_id FROM good GROUP BY event_id HAVING COUNT(*) > 1
    ),
    compared AS (
        SELECT $differs FROM good AS g JOIN shared AS s ON s.event_id = g.event_id GROUP BY g.event_id
    )
    SELECT COUNT(CASE WHEN $any_differs THEN 1 END) AS keys, $differing FROM compared
"""
DIFFERS = """
    CASE WHEN MIN($value) <> MAX($value) OR (COUNT($value) > 0 AND COUNT($value) < COUNT(*)) THEN 1 ELSE 0 END
"""


def stage_repeats(session: Session, workbook: Workbook, dataset: str, contract: list[ColumnContract]) -> None:
    """Make the temporary table `repeats`: the _row of each event whose key came before, in this file or in the lake."""
    nothing = "SELECT CAST(NULL AS BIGINT) AS _row WHERE FALSE"
    query = expression(REPEATS, keyed=expression(KEYED), lake_table=table(f"lake.{dataset}"))
    session.create_temporary("repeats", query if _has_key(workbook, dataset, contract) else expression(nothing))


def refuse_differing(
    session: Session, workbook: Workbook, dataset: str, file: Path, contract: list[ColumnContract], names: list[str]
) -> None:
    """Raise IngestError where rows of one file share an event_id and differ in another of the columns `names`.

    To take the first of them would lose the others: lines of an order, as a rule. Cost: one pass over the keys of the
    staged rows, and one over the rows that share one.
    """
    compared = [name for name in names if name != EVENT_KEY]
    if not _has_key(workbook, dataset, contract) or not compared:
        return
    # a column of the file may have any name, so each is known by its place
    places = [f"differs_{place}" for place in range(len(compared))]
    found = session.rows(
        DIFFERING,
        keyed=expression(KEYED),
        differs=[
            expression(DIFFERS, value=exp.column(exp.to_identifier(name, quoted=True), "g")).as_(place)
            for name, place in zip(compared, places, strict=True)
        ],
        any_differs=exp.or_(*(expression("$flag = 1", flag=column(place)) for place in places)),
        differing=[expression("SUM($flag)", flag=column(place)).as_(place) for place in places],
    )[0]
    if not found["keys"]:
        return
    by_keys = sorted(zip(places, compared, strict=True), key=lambda each: -(found[each[0]] or 0))
    columns = [name for place, name in by_keys if found[place]][:3]
    header = next(each.header for each in contract if each.name == EVENT_KEY)
    raise IngestError(
        f"{file.name}: {found['keys']:,} values of event_id (read from {header}) stand on several rows that differ in "
        f"{', '.join(columns)}: {_question(dataset, contract, header)}"
    )


def _question(dataset: str, contract: list[ColumnContract], header: str) -> str:
    if dataset == "purchases" and ORDER not in {each.name for each in contract}:
        return f"are they orders with several lines? then map {header} to {ORDER} in the place of event_id"
    return "event_id names one row each; map a column that does, or none"


def _has_key(workbook: Workbook, dataset: str, contract: list[ColumnContract]) -> bool:
    return EVENT_KEY in workbook.params.datasets[dataset] and EVENT_KEY in {each.name for each in contract}
