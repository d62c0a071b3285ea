"""`clv lifetime`: predicted value, fitted and proved, from the command line."""

from __future__ import annotations

from typing import Any

from clv_helpers.cli.options import AsOf, Json, Params, Set, app, as_text, parse_changes
from clv_helpers.config.workbook import Workbook


@app.command()
def lifetime(params: Params, as_of: AsOf = "", changes: Set = [], as_json: Json = False) -> None:  # noqa: B006
    """Fit the lifetime models, prove them on a holdout, and value every customer: stage 1 without its notebook."""
    from clv_helpers import ingest, models, simulate
    from clv_helpers import lifetime as stage

    workbook = Workbook.open(params, as_of, parse_changes(params, changes))
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    stage.refresh(workbook)
    models.refresh(workbook, "profile")
    record = stage.record(workbook).as_dict()
    if as_json:
        print(as_text(record))
        return
    print(f"{workbook.name}, as of {record['as_of']}: {record['status']}")
    for line in [*record["refused"], *_fits(record), *_holdout(record), *(w["sentence"] for w in record["warnings"])]:
        print(f"  {line}")


def _fits(record: dict[str, Any]) -> list[str]:
    return [
        f"{fit['model']:<12} {fit['data']:<12} log-likelihood {fit['log_likelihood']:14,.4f}   "
        + "  ".join(f"{name} {value:.5g} {_error(fit, name)}" for name, value in fit["parameters"].items())
        for fit in record["fits"]
    ]


def _error(fit: dict[str, Any], name: str) -> str:
    error = fit["standard_errors"][name]
    return "(not identified)" if error is None else f"± {error:.2g}"


def _holdout(record: dict[str, Any]) -> list[str]:
    holdout = record["holdout"]
    if not holdout:
        return []
    return [
        f"{holdout['days']} days from {holdout['calibration_end']}: {each['measure']:<9} by {each['series']:<20} "
        f"forecast {each['forecast']:12,.0f}  actual {each['actual']:12,.0f}  "
        f"mae {each['mae']:.3f}  rmse {each['rmse']:.3f}"
        for each in holdout["errors"]
    ]
