"""What audiences found beside what a simulation planted: on real data nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table

if TYPE_CHECKING:
    import pandas as pd

# The audience that looks for it: what the truth calls it.
PLANTED = {"abandoned_browse": "browsed", "bots": "is_bot"}
DEAREST = "dearest_sku"


def found(workbook: Workbook) -> Output:
    """Of the simulated web shop: members of audiences against who truly belongs there; nothing of other data.

    Bots are counted among the visitors of whom the tree did not know. Cost: reads the truth, and the members.

    Example:
        >>> simulate.found(wb).parts
        ()
    """
    settings, folder = workbook.params.simulate, workbook.folder / "source"
    if settings is None or settings.business != "web_shop" or not (folder / "truth_visitors.parquet").exists():
        return show.stack()
    import pandas as pd

    truth = pd.read_parquet(folder / "truth_visitors.parquet").set_index("visitor")
    with workbook.engine.read() as session:
        members = session.frame("SELECT audience, customer_id FROM audiences.membership")
        profile = session.columns(table("profile.customer"))
        dearest = session.frame(f"SELECT customer_id, {DEAREST} FROM profile.customer") if DEAREST in profile else None
    known = pd.read_parquet(folder / "reviewed.parquet")["visitor"]
    rows, notes = [], []
    for audience, column in PLANTED.items():
        ids = set(members.loc[members["audience"] == audience, "customer_id"])
        if not ids:
            continue
        judged = truth[~truth.index.isin(known)] if column == "is_bot" else truth
        planted = set(judged.index[judged[column]])
        ids &= set(judged.index)
        rows.append(_row(audience, len(ids), len(planted), len(ids & planted)))
        if column == "browsed" and dearest is not None:
            notes.append(_dearest(judged, dearest, ids & planted))
    if not rows:
        return show.stack()
    shown = show.table(
        rows,
        audience="Audience",
        planted="Planted|>",
        found="Found|>",
        precision="Of those found, right|>",
        recall="Of those planted, found|>",
        people=None,  # nobody: the people of a simulation
    )
    return show.stack(show.note("This data is simulated, so the truth is known:"), shown, *notes)


def _row(audience: str, found: int, planted: int, right: int) -> dict[str, str]:
    from statsmodels.stats.proportion import proportion_confint

    def rate(part: int, whole: int) -> str:
        low, high = proportion_confint(part, whole, method="wilson")
        return f"{part / whole:.1%} ({low:.1%} – {high:.1%})"

    return {
        "audience": audience,
        "planted": f"{planted:,}",
        "found": f"{found:,}",
        "precision": rate(right, found) if found else show.MISSING,
        "recall": rate(right, planted) if planted else show.MISSING,
    }


def _dearest(truth: pd.DataFrame, dearest: pd.DataFrame, ids: set[str]) -> Output:
    named = dearest.set_index("customer_id")[DEAREST].reindex(sorted(ids))
    right = int((named == truth.loc[named.index, DEAREST]).sum())
    return show.note(
        f"The dearest product that they looked at is named rightly for {right:,} of {len(named):,} of them."
    )
