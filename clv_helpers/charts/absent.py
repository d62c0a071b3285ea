"""A table that a widget reads and that is not there: whether anything makes it, and why it did not."""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.charts.errors import ChartError, NotMade
from clv_helpers.contract import DATASETS, WRITTEN
from clv_helpers.engines.session import Session
from clv_helpers.workbook import Workbook

STAGES = {
    "lake": 1, "derived": 1, "profile": 1, "lifetime": 1, "insights": 2, "kpi": 2, "audiences": 4, "activation": 5,
    "campaigns": 6, "experiments": 6,
}  # fmt: skip
# Those that no file of sql/ describes.
OF_PYTHON = {
    *(f"lake.{name}" for name in DATASETS), *WRITTEN,
    "lake.batch_log", "lake.checkpoint", "lake.forecast_member", "lake.rejected_rows",
    "lifetime.calibration_score",
    "lifetime.forecast", "lifetime.forecast_outcome", "lifetime.run", "lifetime.score", "lifetime.week_forecast",
    "activation.ledger", "activation.part", "activation.plan", "campaigns.fact_lift", "campaigns.fact_lift_decile",
    "campaigns.fact_qini",
}  # fmt: skip


def check_made(session: Session, workbook: Workbook, place: str, names: list[str]) -> None:
    """Raise NotMade where one of the tables is not there yet, ChartError where nothing makes one of that name."""
    for name in names:
        if session.has_table(name):
            continue
        if not is_known(workbook, name):
            raise ChartError(f"{place}: there is no table {name}, and no stage makes one")
        raise NotMade(f"There is no table {name} yet: {_why(workbook, name)}.")


def is_known(workbook: Workbook, name: str) -> bool:
    """Whether a stage makes a table of that name, be it described by the package or by the analyst."""
    from clv_helpers.lake.own_tables import SCHEMA, read_own_tables
    from clv_helpers.lake.tables import DAILY, SQL_FOLDER, TableError

    schema, _, bare = name.removesuffix(DAILY).partition(".")
    if name in OF_PYTHON or (SQL_FOLDER / schema / f"{bare}.sql").exists():
        return True
    try:
        own = read_own_tables(workbook.specs / "sql") if schema == SCHEMA else []
    except TableError:
        return True  # what is wrong with the file is said where it is built
    return any(name in each.makes for each in own)


def tables_of(query: exp.Expression) -> list[str]:
    """The published tables that a query reads."""
    return sorted({f"{each.db}.{each.name}" for each in query.find_all(exp.Table) if each.db})


def _why(workbook: Workbook, name: str) -> str:
    schema = name.partition(".")[0]
    if schema == "lifetime":
        return _why_no_prediction(workbook)
    stage = STAGES[schema]
    if stage == 6 and not {"email_events", "assignments", "experiments"} & workbook.params.sources.keys():
        return "stage 6 makes it, and is skipped without e-mail events, assignments or experiments under `sources`"
    again = " and then stage 3 again" if stage > 3 else ""
    return f"stage {stage} makes it; run that{again}"


def _why_no_prediction(workbook: Workbook) -> str:
    from clv_helpers import lifetime

    if workbook.params.lifetime is None:
        return "lifetime value is not predicted unless the params say `lifetime`"
    record = lifetime.record(workbook)
    if record["status"] == "refused":
        return f"lifetime value is not predicted, as {'; '.join(record['refused'])} (`lifetime.minimum` in the params)"
    if record["status"] == "predicted" and not record["holdout"]:
        return "too little of the history can be kept back to prove the prediction (`lifetime.calibration_end`)"
    return "stage 1 makes it, where the data allow it"
