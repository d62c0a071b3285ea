"""`clv lifetime` and `clv results`: what is predicted of customers, and what campaigns brought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from clv_helpers.cli.options import AsOf, Json, Params, Set, command, judged, notice, opened, say
from clv_helpers.progress import on_terminal


@command("params/airline.yml")
def lifetime(params: Params, as_of: AsOf = "", changes: Set = None, as_json: Json = False) -> None:
    """Fit the lifetime models, try them on a holdout, and value every customer: stage 1 without its notebook."""
    from clv_helpers import ingest, run, simulate
    from clv_helpers import lifetime as stage

    workbook = opened(params, as_of, changes)
    with on_terminal():
        simulate.make_sources(workbook)
        ingest.ingest_files(workbook)
        run.build_profile(workbook)
    record = stage.record(workbook).as_dict()
    found = [*record["refused"], *_fits(record), *_holdout(record), *(w["sentence"] for w in record["warnings"])]
    head = f"{workbook.name}, as of {record['as_of']}: {judged(record['status'])}"
    say(as_json, record, [head, *(f"  {line}" for line in found)])


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
    holdout = record["holdout"] or (record["contract"] or {}).get("holdout")
    if not holdout:
        return []
    return [
        f"{holdout['days']} days from {holdout['calibration_end']}: {error['measure']:<9} by {error['series']:<20} "
        f"forecast {error['forecast']:12,.0f}  actual {error['actual']:12,.0f}  "
        f"mae {error['mae']:.3f}  rmse {error['rmse']:.3f}"
        for error in holdout["errors"]
    ]


@command("params/airline.yml", "params/airline.yml double-miles", "params/airline.yml double-miles --next come_back")
def results(
    params: Params,
    campaign: Annotated[str, typer.Argument(help="one campaign; none: all")] = "",
    following: Annotated[str, typer.Option("--next", help="write the audience that follows, under this name")] = "",
    as_of: AsOf = "",
    changes: Set = None,
    as_json: Json = False,
) -> None:
    """What came back from the campaigns, and what they added against those held back: stage 6 without its notebook."""
    from clv_helpers import campaigns, ingest, simulate

    if following and not campaign:
        raise typer.BadParameter("--next needs the campaign from which the audience follows")
    workbook = opened(params, as_of, changes)
    with on_terminal():
        simulate.make_sources(workbook)
        ingest.ingest_files(workbook)
        campaigns.build(workbook)
    found = campaigns.results(workbook, campaign)
    lines = _summary(found, workbook.params.spending.unit) if not campaign else _lines(found[0])
    say(as_json, {"campaigns": found}, lines)
    if following:
        file = campaigns.recommended_audience(workbook, campaign, following)
        notice(f"the next audience is in {file}")


def _summary(found: list[dict[str, Any]], unit: str) -> Iterator[str]:
    """A line per campaign: what it added for each customer, with its interval, and what to think of it."""
    effects = {each["campaign"]: effect for each in found for effect in each["effects"] if effect["audience"] == "ALL"}
    known = sum(effect["measured"] for effect in effects.values())
    yield f"{len(found)} campaign{'s' * (len(found) != 1)}, {known} with a control group to compare with"
    yield f"{'campaign':<26} {f'{unit} added per customer':>34}  verdict"
    for name in (each["campaign"] for each in found):
        effect = effects.get(name, {})
        interval = effect.get("cuped") or {}
        told = "–"
        if interval.get("low") is not None and interval["low"] == interval["low"]:
            told = f"{interval['estimate']:+,.2f} ({interval['low']:+,.2f} to {interval['high']:+,.2f})"
        verdict = effect.get("verdict", "not known")
        yield f"{name:<26} {told:>34}  {judged(verdict)}"
    yield "One campaign with its rates: clv results PARAMS CAMPAIGN"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield found["campaign"]
    for rate in found["rates"]:
        if rate["audience"] == "ALL" and rate["denominator"]:
            counts = f"{rate['numerator']:,} / {rate['denominator']:,}"
            interval = f"({rate['low']:.2%} to {rate['high']:.2%})"
            yield f"  {rate['kpi']:<24} {counts:>19} {rate['rate']:>8.2%}  {interval}"
    for aside in found["rejected"]:
        yield f"  not counted: {aside['events']:,} events, {aside['reason']}"
    for effect in found["effects"]:
        yield f"  {effect['sentence']}"
        if effect.get("warnings"):
            yield f"  {effect['warnings']}"
