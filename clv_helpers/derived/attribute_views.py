"""Which attributes the params and an analyst's tables add to the profile, made of what, and how far each is filled."""

from __future__ import annotations

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook


def attributes(workbook: Workbook) -> Output:
    """A table of the attributes: what each is made of, and how many customers have one; nothing where there are none.

    Example:
        >>> derived.attributes(wb).parts
        ()
    """
    rows = workbook.query("profile.filled_attribute", order_by="attribute_order")
    if not len(rows):
        return show.stack()
    who = workbook.words.customers
    rows = rows.assign(share=rows["customers"] / rows["of_customers"].where(rows["of_customers"] > 0))
    about = show.note(f"Of counts and sums, the {who} are counted who have more than none.")
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
