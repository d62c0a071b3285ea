"""A table that a widget reads and that is not there: whether anything makes it, and why it did not."""

from __future__ import annotations

import json

from sqlglot import exp

from clv_helpers.charts.errors import ChartError, NotMade
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session

STAGES = {
    "lake": 1, "derived": 1, "profile": 1, "lifetime": 1, "insights": 2, "kpi": 2, "audiences": 4, "activation": 5,
    "campaigns": 6, "experiments": 6,
}  # fmt: skip


def check_made(session: Session, workbook: Workbook, place: str, names: list[str]) -> None:
    """Raise NotMade where one of the tables is not there yet, ChartError where nothing makes one of that name."""
    for name in names:
        if session.has_table(name):
            continue
        if not is_known(workbook, name):
            raise ChartError(f"{place}: there is no table {name}, and no stage makes one")
        raise NotMade(f"There is no table {name} yet: {_why(session, workbook, name)}.")


def is_known(workbook: Workbook, name: str) -> bool:
    """Whether anything makes a table of that name, be it described by the package or by the analyst."""
    from clv_helpers import models

    try:
        return name in models.known_columns(workbook)
    except models.TableError:
        return True  # what is wrong with the file is said where it is built


def tables_of(query: exp.Expression) -> list[str]:
    """The published tables that a query reads."""
    return sorted({f"{each.db}.{each.name}" for each in query.find_all(exp.Table) if each.db})


def _why(session: Session, workbook: Workbook, name: str) -> str:
    schema = name.partition(".")[0]
    if schema == "lifetime":
        return _why_no_prediction(session, workbook)
    stage = STAGES[schema]
    if stage == 6 and not {"email_events", "assignments", "experiments"} & workbook.params.sources.keys():
        return "stage 6 makes it, and is skipped without e-mail events, assignments or experiments under `sources`"
    again = " and then stage 3 again" if stage > 3 else ""
    return f"stage {stage} makes it; run that{again}"


def _why_no_prediction(session: Session, workbook: Workbook) -> str:
    if workbook.params.lifetime is None:
        return "lifetime value is not predicted unless the params say `lifetime`"
    kept = session.has_table("lifetime.run")
    record = json.loads(session.scalar("SELECT record FROM lifetime.run")) if kept else {"status": "off"}
    if record["status"] == "refused":
        return f"lifetime value is not predicted, as {'; '.join(record['refused'])} (`lifetime.minimum` in the params)"
    if record["status"] == "predicted" and not record["holdout"]:
        return "too little of the history can be kept back to prove the prediction (`lifetime.calibration_end`)"
    return "stage 1 makes it, where the data allow it"
