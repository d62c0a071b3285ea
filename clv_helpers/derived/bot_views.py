"""What notebook 1 shows of bots: how well they are told, and the rules by which."""

from __future__ import annotations

from clv_helpers.charts import show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.derived.bot_scoring import CHANCE, BotRecord, Rate, Rule, record

WORDS = {
    "most_in_1_minute": "{way} {edge:.0f} events in a minute",
    "most_in_5_minutes": "{way} {edge:.0f} events in 5 minutes",
    "most_in_30_minutes": "{way} {edge:.0f} events in 30 minutes",
    "gap_variation": "gaps that vary by {way} {edge:.0%} of their mean",
    "night_share": "{way} {edge:.0%} of the events at night",
}


def bots(workbook: Workbook) -> Output:
    """How well bots are told from people, and the rules that do it; nothing where the params do not ask for bots.

    Example:
        >>> derived.bots(wb).parts
        ()
    """
    made, few = record(workbook), workbook.params.min_cell
    if made.status == "off":
        return show.stack()
    if made.status == "refused":
        return show.note(f"Nobody is taken for a bot: {made.reason}.")
    if made.status == "chance":
        return show.finding(
            f"Nobody is taken for a bot: on {people_text(made.held_out, few)} known visitors whom it had not seen, the "
            f"decision tree is no better than chance (p = {made.p_value:.2g}; less than {CHANCE:g} is asked for).",
            topic="bots",
        )
    return show.stack(_how_well(made, few), _rules(made, few))


def _how_well(made: BotRecord, few: int) -> Output:
    return show.finding(
        f"{show.share_of(made.bots, made.visitors, 'visitors', few)} are taken for bots. On "
        f"{people_text(made.held_out, few)} known visitors whom the tree had not seen, {_interval(made.precision)} of "
        f"those taken for bots are bots, and {_interval(made.recall)} of the bots are found.",
        topic="bots",
    )


def _interval(rate: Rate) -> str:
    """A rate of known visitors, of whom there are enough in either group, with its interval."""
    if rate.low is None or rate.high is None:
        return show.MISSING
    return f"{rate.part / rate.whole:.0%} ({rate.low:.0%} – {rate.high:.0%})"


def _rules(made: BotRecord, few: int) -> Output:
    rules = sorted((rule for rule in made.rules if rule.is_of_bots), key=lambda rule: -rule.visitors)
    rows = [
        {
            "rule": rule_text(rule),
            "known": people_text(rule.visitors, few),
            "bots": f"{rule.bots / rule.visitors:.0%}",
        }
        for rule in rules
    ]
    return show.table(
        rows, rule="Taken for a bot with", known="Known visitors like this|>", bots="Of them bots|>", people=None
    )


def rule_text(rule: Rule) -> str:
    """A rule as a person reads it.

    Example:
        >>> from clv_helpers.derived.bot_scoring import Rule
        >>> rule_text(Rule([("most_in_30_minutes", "above", 16.0), ("night_share", "at most", 0.3)], 40, 38))
        'more than 16 events in 30 minutes, and at most 30% of the events at night'
    """
    words = {"above": "more than", "at most": "at most"}
    return ", and ".join(WORDS[name].format(way=words[way], edge=edge) for name, way, edge in rule.conditions)
