"""What notebook 1 says of who is who: which customer ids are one person's, and which stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.charts import show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import Output
from clv_helpers.config.identities import Identities
from clv_helpers.config.workbook import Workbook
from clv_helpers.derived.match_views import matches

if TYPE_CHECKING:
    import pandas as pd

# What is said of the values of a column that joined none, or not all who bear them.
LEFT = {
    "too many ids": "more than {at_most} ids bear it",
    "role or placeholder": "it is an office's, a placeholder, or to be ignored",
    "several persons": "persons of several names bear it: those of one name are joined",
}


def identities(workbook: Workbook) -> Output:
    """A sentence on the identity graph: which customers it joins, and which stay apart.

    Example:
        >>> derived.identities(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        '... members, each with one number in the namespace ...'
    """
    who, few = workbook.words.customers, workbook.params.min_cell
    rows = workbook.query("profile.namespace", order_by="namespace")
    primary, others = rows[rows["is_primary"]].iloc[0], rows[~rows["is_primary"]]
    text = f"{people_text(primary.identities, few)} {who}, each with one number in the namespace {primary.namespace}."
    for namespace in others.itertuples():
        text += f" {people_text(namespace.identities, few)} identities in the namespace {namespace.namespace}"
        if namespace.shared_identities:
            text += (
                f", {people_text(namespace.shared_identities, few)} of them shared, by "
                f"{people_text(namespace.sharing_customers, few)} {who} in all: these stay apart, as "
                + ("`identities` says." if workbook.params.identities else
                   f"a shared address does not make one {workbook.words.customer}.")
            )  # fmt: skip
        else:
            text += f", none shared by several {who}."
    if rule := workbook.params.identities:
        matched = [matches(workbook, rule.match)] if rule.match else []
        return show.stack(show.note(text), *matched, _joined(workbook, rule))
    return show.note(text)


def _joined(workbook: Workbook, rule: Identities) -> Output:
    """How many ids became how many customers, what it changed, and what joined nobody; counts alone."""
    few, who = workbook.params.min_cell, workbook.words.customers
    rows = workbook.query("profile.joining", order_by="column_name")
    total = rows[(rows["column_name"] == "") & (rows["outcome"] == "joined")]
    ids, customers = (int(total[name].sum()) for name in ("people", "found"))
    over = " or ".join(rule.ways)
    if not ids:
        return show.note(f"No ids were joined over {over}: none share a value that is one person's.")
    text = f"{people_text(ids, few)} ids were joined into {people_text(customers, few)} {who} over {over}"
    text += f"{_means(workbook, rows)}."
    told = rows[rows["outcome"].isin(LEFT)].rename(columns={"found": "values", "people": "ids"})
    if told.empty:
        return show.finding(text, topic="identities")
    told["why"] = told["outcome"].map({outcome: text.format(at_most=rule.at_most) for outcome, text in LEFT.items()})
    table = show.table(
        told,
        column_name="Values of",
        why="Do not join all who bear them, as",
        values="Values|,.0f",
        ids="Ids|,.0f",
        people={"values": "ids", "ids": "ids"},
        min_cell=few,
    )
    return show.stack(show.finding(text, topic="identities"), table)


def _means(workbook: Workbook, rows: pd.DataFrame) -> str:
    """Purchases of a customer on average, as it was by ids and as it is; nothing where few bought."""
    row: Any = workbook.query("derived.summary").iloc[0]
    bought = rows[rows["outcome"] == "bought"]["found"].sum()
    if min(row.customers, bought) < workbook.params.min_cell:
        return ""
    after, before = row.purchases / row.customers, row.purchases / (row.customers + bought)
    return f"; {workbook.words.purchases} per {workbook.words.customer} on average: {before:.1f} → {after:.1f}"
