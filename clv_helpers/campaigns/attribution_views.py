"""What stage 6 shows of attribution: the channels by what each of three models credits them with, side by side."""

from __future__ import annotations

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook

TABLE, NONE = "campaigns.fact_attribution", "none"
MODELS = {"first touch": "first touch", "last touch": "last touch", "linear": "equal shares (linear)"}  # and in words
NO_CAUSE = (
    "Attribution says what came before a {purchase}, within {days} days, not what caused it: who was going to buy "
    "clicks, too. What a campaign added is its effect against the control group, above."
)


def attribution(workbook: Workbook) -> Output:
    """What channels are credited with, a chart per model; nothing where the params do not ask for attribution.

    Example:
        >>> campaigns.attribution(wb).parts
        ()
    """
    asked = workbook.params.attribution
    if asked is None:
        return show.stack()
    says = NO_CAUSE.format(purchase=workbook.words.purchase, days=asked.window_days)
    return show.stack(show.note(says), *(draw(workbook, _bars(workbook, model)) for model in MODELS))


def _bars(workbook: Workbook, model: str) -> Widget:
    purchases, said = workbook.words.purchases, MODELS[model]
    return Widget(
        title_from="top",
        title=f"By {said}, {{channel}} is credited with most: {{spend}} {{currency}}",
        subtitle=f"Spend on {purchases} credited by {said} ({{currency}}); {purchases} without a touch are left out",
        table=TABLE,
        filters={"model": model},
        exclude={"channel": NONE},
        mark="bar",
        x=Channel(column="spend", title="{currency}", format=",.0f"),
        y=Channel(column="channel", title="", sort="-spend"),
    )
