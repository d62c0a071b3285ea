"""What the params and an analyst's tables add to the profile: attributes, how far each is filled, and rankings."""

from __future__ import annotations

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook

RANKED = """
    SELECT w.name, w.lookback, w.places, COUNT(DISTINCT r.customer_id) AS customers,
        COUNT(DISTINCT r.category) AS categories
    FROM derived.rank_window AS w
    LEFT JOIN derived.customer_rank AS r ON r.name = w.name AND r.lookback = w.lookback
    GROUP BY w.name, w.lookback, w.places, w.lookback_order
    ORDER BY w.name, w.lookback_order
"""


def attributes(workbook: Workbook) -> Output:
    """A table of the attributes: what each is made of, and how many customers have one; nothing where there are none.

    Example:
        >>> derived.attributes(wb).parts[0].bundle["text/plain"]
        'What the params and own tables add to the profile. Of counts and sums, the members are counted who have any.'
    """
    rows = workbook.query("profile.filled_attribute", order_by="attribute_order")
    if not len(rows):
        return show.stack()
    who = workbook.words.customers
    rows = rows.assign(share=rows["customers"] / rows["of_customers"].where(rows["of_customers"] > 0))
    about = show.note(
        f"What the params and own tables add to the profile. Of counts and sums, the {who} are counted who have any."
    )
    table = show.table(
        rows,
        attribute="Attribute",
        made_of="Made of",
        customers=f"{show.upper_first(who)} who have it|,.0f",
        share=f"Share of all {who}|.1%",
        people="customers",
        min_cell=workbook.params.min_cell,
    )
    return show.stack(about, table)


def rankings(workbook: Workbook) -> Output:
    """The further rankings that the params ask for (`deciles`): by what, within what, and how many are ranked.

    Nothing where they ask for none. Cost: one pass over derived.customer_rank.

    Example:
        >>> derived.rankings(wb).parts[0].bundle["text/plain"]
        'Further rankings, which the params ask for:'
    """
    deciles = {each.name: each for each in workbook.params.deciles}
    if not deciles:
        return show.stack()
    with workbook.engine.read() as session:
        rows = session.rows(RANKED)
    for row in rows:
        each = deciles[row["name"]]
        row["measure"] = f"{each.of}, smallest first" if each.order == "ascending" else str(each.of)
        row["within"] = " and ".join(each.by) or f"all {workbook.words.customers}"
    table = show.table(
        rows,
        name="Ranking",
        measure="By",
        within="Within",
        lookback="Look-back",
        places="Places|>",
        categories="Categories|>",
        customers=f"{show.upper_first(workbook.words.customers)} ranked|,.0f",
        people={"customers": "customers"},
        min_cell=workbook.params.min_cell,
    )
    return show.stack(show.note("Further rankings, which the params ask for:"), table)
