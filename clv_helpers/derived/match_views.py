"""What notebook 1 says of two lists that were matched: how many are on both, and who was held apart."""

from __future__ import annotations

from clv_helpers.charts import show
from clv_helpers.charts.rounding import people_text, share_text
from clv_helpers.charts.show import Output
from clv_helpers.config.identities import Match
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table

WHY = {
    "joined": "they are one {customer} from here on",
    "held apart": "all but {apart} is alike, which is wholly different: a household, or a nickname",
    "too uncertain": "their probability is below {threshold:g}",
}
UNLEARNED = (
    "Too few pairs agree in three columns to learn from them how the lists differ, so common experience stands in: "
    "what is found here, take with care."
)
PEOPLE = "SELECT COUNT(DISTINCT COALESCE(source_customer_id, customer_id)) AS people FROM $rows AS r"


def matches(workbook: Workbook, match: Match) -> Output:
    """A sentence on how many are on both lists, and a table of the pairs by what became of them; counts alone."""
    pairs, few = workbook.query("profile.match"), workbook.params.min_cell
    first, second = match.lists
    with workbook.engine.read() as session:
        people = session.scalar(PEOPLE, rows=table(f"lake.{first}"))
    joined = pairs[pairs["outcome"] == "joined"]
    doubt = [show.note(UNLEARNED)] if not pairs["learned"].all() else []
    if len(joined) < few:
        shares = (
            f"Hardly anybody of {first} is on {second}, too" if len(joined) else f"Nobody of {first} is on {second}"
        )
        return show.stack(show.finding(f"{shares}, as far as {_listed(match.by)} tell.", topic="match"), *doubt)
    wrong = people_text(round((1 - joined["probability"]).sum()), few)
    text = (
        f"{people_text(len(joined), few)} of the {people_text(people, few)} on {first} are on {second}, too "
        f"({share_text(len(joined), people, few)}); by the model {wrong} of these matches are wrong."
    )
    return show.stack(show.finding(text, topic="match"), *doubt, _outcomes(workbook, match))


def _outcomes(workbook: Workbook, match: Match) -> Output:
    rules = workbook.params.identities
    names = {
        "customer": workbook.words.customer,
        "apart": rules.apart if rules else "",
        "threshold": match.threshold,
    }
    pairs = workbook.query("profile.match")
    counts = pairs["outcome"].where(pairs["probability"] >= match.threshold, "too uncertain").value_counts()
    rows = [
        {"outcome": outcome, "pairs": int(counts[outcome]), "why": why.format(**names)}
        for outcome, why in WHY.items()
        if outcome in counts
    ]
    return show.table(
        rows, outcome="Pairs of both lists that are alike", why="Because", pairs="Pairs|,.0f",
        people={"pairs": "pairs"}, min_cell=workbook.params.min_cell,
    )  # fmt: skip


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
