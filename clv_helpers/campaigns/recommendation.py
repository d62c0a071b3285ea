"""The recommended audience: from a campaign's effect to whom to write next, as an audience file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from clv_helpers.campaigns.effect import EVERYONE, NOT_KNOWN, NOT_WORTH_IT, WORTH_IT
from clv_helpers.campaigns.effect_rows import CampaignEffect, DecileEffect
from clv_helpers.campaigns.effect_sentence import people_of, shown
from clv_helpers.campaigns.record import chosen, read_deciles, read_effects
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError


class NoRecommendedAudience(UserError):
    """The results give no audience: nothing was measured, no effect was shown, or no decile is worth a message."""


def recommended_audience(workbook: Workbook, campaign: str, name: str = "") -> Path:
    """Write the audience of the deciles in which a message is worth its cost by the best estimate; gives the file.

    Where the campaign went to one audience of this workbook, that audience is part of the new rule. Raises
    NoRecommendedAudience where no effect on revenue was shown or no decile clears the cost, SpecChanged where a file of
    that name holds another rule, ParamsError for a campaign that is not known, or a name that is none of a file.

    Example:
        >>> campaigns.recommended_audience(wb, "double-miles", "worth_it")  # doctest: +SKIP
        PosixPath('params/airline/audiences/worth_it.yml')
    """
    effects = read_effects(workbook, audience=EVERYONE)
    names = chosen(workbook, effects, campaign)
    effect = next(effect for effect in effects if effect.campaign == names[0])
    if not effect.measured:
        raise NoRecommendedAudience(effect.sentence)
    customers = workbook.words.customers
    if not workbook.has("purchases"):
        raise NoRecommendedAudience(
            f"{workbook.name} has no {customers} of whom an audience could be made (sources.purchases)"
        )
    rows = read_deciles(workbook, campaign=campaign, audience=EVERYONE)
    deciles = [row.decile for row in rows if row.verdict == WORTH_IT and row.decile]
    if not deciles and any(row.verdict == NOT_WORTH_IT for row in rows):
        raise NoRecommendedAudience(
            f"{campaign}: by the best estimate a message costs more than it adds in every decile"
        )
    if not deciles:
        raise NoRecommendedAudience(
            f"{campaign}: no effect on revenue was shown, so nobody is recommended; a larger control group or more "
            f"{customers} would show one"
        )
    name = name or re.sub(r"[^a-z0-9_]+", "_", f"recommended_{campaign}".lower()).strip("_")
    file = yaml_files.file_of(workbook, "audiences", name)
    text = yaml_files.dump(_audience(workbook, effect, deciles))
    if not file.exists() or file.read_text("utf-8") != text:
        yaml_files.save(file, text, read_as="")
    return file


def _audience(workbook: Workbook, effect: CampaignEffect, deciles: list[int]) -> dict[str, Any]:
    rule: list[dict[str, Any]] = [{"field": "decile_lifetime", "op": "in", "value": deciles}]
    with workbook.engine.read() as session:
        query = "SELECT DISTINCT audience FROM campaigns.customer_assignment WHERE campaign = $campaign"
        audiences = [row["audience"] for row in session.rows(query, campaign=effect.campaign)]
    if len(audiences) == 1 and audiences[0] in yaml_files.names(workbook, "audiences"):
        rule.append({"audience": audiences[0]})
    value = shown(effect.value_per_message, people_of(effect), workbook.params.min_cell)
    return {
        "title": f"Where {effect.campaign} is worth it",
        "description": (
            f"The deciles in which a message of {effect.campaign} is worth its cost, by the best estimate. Over all it "
            f"brought {value.estimate:.2f} {workbook.params.spending.unit} per message after its cost (95% interval "
            f"{value.low:.2f} to {value.high:.2f})."
        ),
        "rule": {"all": rule},
    }


def worth(campaign: str, rows: list[DecileEffect]) -> str:
    """To whom a message is worth its cost."""
    own = [row for row in rows if row.campaign == campaign]
    names = [str(row.decile) if row.decile else "those not ranked" for row in own if row.verdict == WORTH_IT]
    if all(row.verdict == NOT_KNOWN for row in own):
        return "no effect on revenue is shown, so nobody to write to again for its sake."
    if not names:
        return "by the best estimate a message costs more than it adds in every decile."
    if len(names) == len(own):
        return "by the best estimate a message is worth its cost in every decile: write to everyone."
    return f"by the best estimate a message is worth its cost in {_deciles(names)}."


def _deciles(names: list[str]) -> str:
    """Deciles as people write them, such as "deciles 1 to 4"; not all of them stand in a row."""
    numbers = [int(name) for name in names if name.isdigit()]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        names = [f"{numbers[0]} to {numbers[-1]}", *(name for name in names if not name.isdigit())]
    return f"deciles {', '.join(names)}" if len(numbers) > 1 else f"decile {', '.join(names)}"
