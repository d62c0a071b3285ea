"""`clv results`: rates and lift of the campaigns, and the audience that follows from them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from clv_helpers.cli.options import AsOf, Json, Params, Set, app, as_text, parse_changes
from clv_helpers.config.workbook import Workbook


@app.command()
def results(
    params: Params,
    campaign: Annotated[str, typer.Argument(help="one campaign; none: all")] = "",
    following: Annotated[str, typer.Option("--next", help="write the audience that follows, under this name")] = "",
    as_of: AsOf = "",
    changes: Set = [],  # noqa: B006 (typer copies it)
    as_json: Json = False,
) -> None:
    """What came back from the campaigns, and what they added against those held back: stage 6 without its notebook."""
    from clv_helpers import campaigns, ingest, simulate

    if following and not campaign:
        raise typer.BadParameter("--next needs the campaign from which the audience follows")
    workbook = Workbook.open(params, as_of, parse_changes(params, changes))
    simulate.make_sources(workbook)
    ingest.ingest_files(workbook)
    campaigns.build(workbook)
    found = campaigns.results(workbook, campaign)
    if as_json:
        print(as_text(found))
    for each in () if as_json else found:
        _print(each)
    if following:
        file = campaigns.recommended_audience(workbook, campaign, following)
        print(f"the next audience is in {file}", file=sys.stderr)


def _print(found: dict[str, Any]) -> None:
    print(found["campaign"])
    for rate in found["rates"]:
        if rate["audience"] == "ALL" and rate["denominator"]:
            counts = f"{rate['numerator']:,} / {rate['denominator']:,}"
            interval = f"({rate['low']:.2%} to {rate['high']:.2%})"
            print(f"  {rate['kpi']:<24} {counts:>19} {rate['rate']:>8.2%}  {interval}")
    for aside in found["rejected"]:
        print(f"  not counted: {aside['events']:,} events, {aside['reason']}")
    for effect in found["effects"]:
        print(f"  {effect['sentence']}")
        if effect.get("warnings"):
            print(f"  {effect['warnings']}")
