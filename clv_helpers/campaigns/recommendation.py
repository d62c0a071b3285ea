"""From what a campaign showed to whom to write next: an audience file, made by one call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from clv_helpers.campaigns.effect import EVERYONE
from clv_helpers.campaigns.record import results
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError


class NoNextAudience(UserError):
    """The results give no audience: nothing was measured, or no decile was worth it."""


def next_audience(workbook: Workbook, campaign: str, name: str = "") -> Path:
    """Write the audience of the deciles in which a message added more than it cost, with certainty; gives the file.

    Where the campaign went to one audience of this workbook, that audience is part of the new rule. Raises
    NoNextAudience where no decile's interval lies above zero, SpecChanged where a file of that name holds another
    rule, ParamsError for a campaign that is not known, or a name that is none of a file.
    """
    found = results(workbook, campaign)[0]
    effect = next(each for each in found["lift"] if each["audience"] == EVERYONE)
    if not effect["measured"]:
        raise NoNextAudience(effect["sentence"])
    if not workbook.has("purchases"):
        raise NoNextAudience(f"{workbook.name} has no customers of whom an audience could be made (sources.purchases)")
    deciles = [each["decile"] for each in effect["by_decile"] if each["verdict"] == "worth it" and each["decile"]]
    if not deciles:
        raise NoNextAudience(
            f"{campaign}: in no decile did a message add more than it cost, with certainty; a larger control group or "
            "more customers would tell"
        )
    name = name or re.sub(r"[^a-z0-9_]+", "_", f"next_{campaign}".lower()).strip("_")
    file = yaml_files.file_of(workbook, "audiences", name)
    text = yaml_files.dump(_audience(workbook, campaign, effect, deciles))
    if not file.exists() or file.read_text("utf-8") != text:
        yaml_files.save(file, text, read_as="")
    return file


def _audience(workbook: Workbook, campaign: str, effect: dict[str, Any], deciles: list[int]) -> dict[str, Any]:
    rule: list[dict[str, Any]] = [{"field": "decile_lifetime", "op": "in", "value": deciles}]
    with workbook.engine.read() as session:
        query = "SELECT DISTINCT audience FROM campaigns.assignment WHERE campaign = $campaign"
        audiences = [row["audience"] for row in session.rows(query, campaign=campaign)]
    if len(audiences) == 1 and audiences[0] in yaml_files.names(workbook, "audiences"):
        rule.append({"audience": audiences[0]})
    value = effect["value_per_message"]
    return {
        "title": f"Where {campaign} was worth it",
        "description": (
            f"The deciles in which a message of {campaign} added more than it cost. Over everyone it brought "
            f"{value['estimate']:.2f} {workbook.params.spending.unit} per message "
            f"({value['low']:.2f} to {value['high']:.2f})."
        ),
        "rule": {"all": rule},
    }
