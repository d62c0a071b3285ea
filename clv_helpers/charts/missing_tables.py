"""A table that a widget reads and that is not there: whether anything makes it, and why it did not."""

from __future__ import annotations

import json

from sqlglot import exp

from clv_helpers import models
from clv_helpers.charts.errors import ChartError, NotMade
from clv_helpers.config.tables import SCHEMAS
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session


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
    try:
        return name in models.table_catalog(workbook)
    except models.TableError:
        return True  # what is wrong with the file is said where it is built


def tables_of(query: exp.Expr) -> list[str]:
    """The published tables that a query reads."""
    return sorted({f"{mention.db}.{mention.name}" for mention in query.find_all(exp.Table) if mention.db})


def _why(session: Session, workbook: Workbook, name: str) -> str:
    schema = name.partition(".")[0]
    if schema == "lifetime":
        return _why_no_prediction(session, workbook)
    stage = SCHEMAS[schema].stage
    if stage == 0:
        return "clv schedule makes it"
    if stage == 6 and not {"email_events", "assignments", "experiments"} & workbook.params.sources.keys():
        return "stage 6 makes it, and is skipped without e-mail events, assignments or experiments under `sources`"
    again = " and then stage 3 again" if stage > 3 else ""
    return f"stage {stage} makes it; run that{again}"


def _why_no_prediction(session: Session, workbook: Workbook) -> str:
    if workbook.params.lifetime is None:
        return "lifetime value is not predicted unless the params say `lifetime`"
    was_run = session.has_table("lifetime.prediction")
    record = json.loads(session.scalar("SELECT record FROM lifetime.prediction")) if was_run else {"status": "off"}
    if record["status"] == "refused":
        return f"lifetime value is not predicted, as {'; '.join(record['refused'])} (`lifetime.minimum` in the params)"
    if record["status"] == "predicted" and not record["holdout"]:
        return "the history is too short for a holdout that could validate the prediction (`lifetime.calibration_end`)"
    return "stage 1 makes it, where the data allow it"
