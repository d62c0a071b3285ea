"""The live board: filters on top, charts below, redrawn when a filter changes. The only file here with ipywidgets."""

from __future__ import annotations

import os
from typing import Any

from IPython.display import display

from clv_helpers.charts import draw
from clv_helpers.dashboards.render import show
from clv_helpers.dashboards.spec import BoardFilter, load
from clv_helpers.engines.dialect import column, table
from clv_helpers.workbook import BATCH_VARIABLE, Workbook

EVERYTHING = "(all)"


def board(workbook: Workbook, name: str) -> Any:
    """Show a dashboard with its filters. A changed filter queries the published tables again."""
    if os.environ.get(BATCH_VARIABLE):
        defaults = {f.column: f.default for f in load(workbook, name).filters if f.default is not None}
        for chart in show(workbook, name, defaults):
            display(chart)
        return None
    return LiveBoard(workbook, name).face


class LiveBoard:
    """Holds the filters' choice and one output area per widget; `face` is the ipywidgets box to display."""

    def __init__(self, workbook: Workbook, name: str):
        import ipywidgets as ipw

        self.workbook, self.dashboard = workbook, load(workbook, name)
        self.choices = {f.column: self._dropdown(f) for f in self.dashboard.filters}
        self.outputs = [ipw.Output(layout={"overflow": "visible"}) for _ in self.dashboard.widgets]
        for dropdown in self.choices.values():
            dropdown.observe(lambda _: self.redraw(), names="value")
        title = ipw.HTML(f"<h2 style='margin:0'>{self.dashboard.title}</h2>")
        grid = ipw.GridBox(
            self.outputs,
            layout={"grid_template_columns": "repeat(auto-fit, minmax(490px, 1fr))", "grid_gap": "12px"},
        )
        self.face = ipw.VBox([title, ipw.HBox(list(self.choices.values())), grid])
        self.redraw()

    def redraw(self) -> None:
        """Draw every widget with the filters as chosen."""
        chosen = {name: d.value for name, d in self.choices.items() if d.value != EVERYTHING}
        for output, widget in zip(self.outputs, self.dashboard.widgets, strict=True):
            # Set outputs as data: capturing display() would wait for the front end once per chart.
            bundle = draw(self.workbook, widget, chosen).bundle
            output.outputs = ({"output_type": "display_data", "data": bundle, "metadata": {}},)

    def _dropdown(self, spec: BoardFilter) -> Any:
        import ipywidgets as ipw
        from sqlglot import exp

        order = exp.Min(this=column(spec.order_by or spec.column))
        query = exp.select(column(spec.column)).from_(table(spec.table)).group_by(column(spec.column)).order_by(order)
        with self.workbook.engine.read() as session:
            values = [row[spec.column] for row in session.rows(query)]
        offered = values if spec.default is not None else [EVERYTHING, *values]
        value = spec.default if spec.default in offered else offered[0]
        return ipw.Dropdown(
            options=offered, value=value, description=spec.label, style={"description_width": "initial"}
        )
