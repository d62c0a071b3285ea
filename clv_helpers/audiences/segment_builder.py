"""The segment builder: blocks on the left, the rule in the middle, its estimate on the right."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, cast

from pydantic import ValidationError

from clv_helpers.audiences import audience_files, estimate, memberships, panels, views
from clv_helpers.audiences.blocks import Blocks
from clv_helpers.audiences.checks import hints
from clv_helpers.audiences.composer_fields import ComposerFields
from clv_helpers.audiences.draft import Draft, Path, Row, problem_of
from clv_helpers.audiences.estimate import Estimate
from clv_helpers.audiences.formats import CannotExpress, platform_notes
from clv_helpers.audiences.rule import Audience, Rule, parse_part
from clv_helpers.audiences.sentence import part_in_words, to_sentence
from clv_helpers.charts import show
from clv_helpers.charts.texts import header
from clv_helpers.config import yaml_files
from clv_helpers.config.settings import Words
from clv_helpers.config.validation import ParamsError, parse_value
from clv_helpers.config.workbook import Workbook
from clv_helpers.editors import Editor, html
from clv_helpers.errors import UserError

STYLE = """
.clv-builder .widget-button.clv-row {text-align:left; white-space:normal; height:auto; min-height:30px;
  line-height:1.35; padding:5px 10px; background:#F5F7F9;
  border:1px solid #DDE3E8; border-radius:4px; overflow-wrap:anywhere; color:#222}
.clv-builder .widget-button.clv-group {background:#E8F1F7; font-weight:600}
.clv-builder .widget-button.clv-out {background:#FBEDE6; border-color:#E8B79B}
.clv-builder .widget-button.clv-chosen {box-shadow:0 0 0 2px #0072B2}
"""


def builder(workbook: Workbook, name: str = "") -> Any:
    """Edit an audience by clicking (a new one where none is named). In a batch run: its count, sentence and funnel.

    Gives an ipywidgets box in JupyterLab. Raises ParamsError for an audience that does not exist.

    Example:
        >>> audiences.builder(wb, "best_now_quiet")  # doctest: +ELLIPSIS
        VBox(...)
    """
    if not workbook.interactive:
        return show.stack(*views.summary(workbook, name))
    return Builder(workbook, name).widget


class Builder(Editor[Draft]):
    """The editor of audiences."""

    kind, css, placeholder = "audiences", "clv-builder", "best_now_quiet"

    def __init__(self, workbook: Workbook, name: str = ""):
        super().__init__(workbook)
        self.saved: Audience | None = None  # as the file holds it
        self.audience: Audience | None = None  # the draft, once it is complete
        self.estimate: Estimate | None = None
        with workbook.engine.read() as session:
            self.catalog = views.published_context(session, workbook.params).catalog
        self.blocks = Blocks(workbook, self.catalog, self.change)
        self.composer = ComposerFields(self.catalog, self.change)
        self.rows, self.count = self.ipw.VBox(layout={"width": "100%"}), self.ipw.HTML()
        self.source = self.ipw.Textarea(rows=4, layout={"width": "100%"}, placeholder="the selected part as YAML")
        people = f"Ten {workbook.words.customers}"
        self.titles = ("Funnel", "Sentence", "SQL", "PQL", "YAML", people, "Notes", "Changes")
        self.tabs = self.ipw.Tab([self.ipw.HTML() for _ in self.titles], titles=self.titles)
        self.tabs.observe(lambda _: self._show_tab(), names="selected_index")
        self.widget = self._lay_out()
        self.begin(name)

    def _lay_out(self) -> Any:
        ipw = self.ipw
        evaluation = ipw.Dropdown(description="Evaluated", options=["batch", "streaming"], layout={"width": "170px"})
        about = [
            self.head_field("title", self.text("Title", width="260px")),
            self.head_field("description", self.text("Who is in it", width="420px")),
            self.head_field("evaluation", evaluation, "batch"),
            self.head_field("time_zone", self.text("Time zone", width="200px"), "UTC"),
        ]
        moves = self.move_buttons({
            "↑ Up": lambda draft: draft.move(-1), "↓ Down": lambda draft: draft.move(1),
            "→ Into": lambda draft: draft.move_in(), "← Out": lambda draft: draft.move_out(),
            "And / or": lambda draft: draft.switch(), "Exclude": lambda draft: draft.exclude(),
            "Wrap": lambda draft: draft.wrap(), "Unwrap": lambda draft: draft.unwrap(), "To rules": self._to_rules,
            "Remove": lambda draft: draft.remove(),
        })  # fmt: skip
        apply = self.button("Apply to the selected part", lambda: self.change(self._replace))
        panes = {
            "Building blocks": self.blocks.parts,
            "The rule": [moves, self.rows, self.source, apply, self.ipw.HTML("<h4>Then</h4>"), *self.composer.parts],
            "Estimate": [self.count],
        }
        return self.box(
            self.file_bar(self.file_button("Evaluate", self.evaluate)),
            ipw.HBox(about, layout={"flex_flow": "row wrap"}),
            self.panes("300px minmax(320px,1fr) 250px", panes),
            self.tabs,
            style=STYLE,
        )

    # the rule

    def empty(self) -> Draft:
        return Draft()

    def _replace(self, draft: Draft) -> None:
        draft.replace(parse_value(self.source.value))

    def _to_rules(self, draft: Draft) -> None:
        part = draft.row().part
        if "audience" not in part:
            raise UserError("Select an audience in the rule; it is replaced by a copy of its own rule.")
        copy = audience_files.as_rules(parse_part(part), audience_files.load_all(self.workbook))
        draft.replace(cast(Rule, copy).model_dump(mode="json", by_alias=True, exclude_defaults=True))

    def head_changed(self, key: str) -> None:
        """A title changes no count, and the panes need not be drawn again under the mouse."""
        if key in ("evaluation", "time_zone"):
            self.refresh()
        elif self.audience:
            self.audience = self.draft.parse() if not problem_of(self.draft) else None
            self._show_tab()

    def _draw_rows(self) -> None:
        chosen = self.draft.row()
        buttons = []
        for row in self.draft.rows():
            button = self.ipw.Button(description=_in_words(row, self.draft, self.workbook.words), tooltip="select")
            button.layout = {"margin": f"2px 0 2px {22 * len(row.path)}px", "width": "auto", "align_self": "stretch"}
            button.add_class("clv-row")
            is_chosen = row.path == chosen.path
            for css, applies in {"group": row.container, "out": row.excluded, "chosen": is_chosen}.items():
                if applies:
                    button.add_class(f"clv-{css}")
            button.on_click(lambda _, path=row.path: self._select(path))
            buttons.append(button)
        self.rows.children = buttons
        self.source.value = yaml_files.dump(chosen.part)

    def _select(self, path: Path) -> None:
        self.draft.selected = path
        self._draw_rows()
        next(b for b, row in zip(self.rows.children, self.draft.rows(), strict=True) if row.path == path).focus()

    # the result

    def refresh(self) -> None:
        """Draw the rule, and count who meets it."""
        with self.fill():
            self._draw_rows()
            self.composer.show(self.draft.raw)
        self.estimate, self.audience = None, None
        try:
            if problem := problem_of(self.draft):
                raise UserError(problem)
            audience = self.draft.parse()
            self.estimate, self.count.value = self._estimate(audience)
            self.audience = audience
        except UserError as error:
            self.count.value = html.problem(str(error))
        self._show_tab()

    def _estimate(self, audience: Audience) -> tuple[Estimate, str]:
        params = self.workbook.params
        with views.reading(self.workbook, self._file(), audience) as (session, context, note):
            started = time.perf_counter()
            counted = replace(estimate.estimate(session, audience, context), note=note)
            seconds = time.perf_counter() - started
            overlap = estimate.overlaps(session, audience, context)
        units = (params.value.unit, params.spending.unit)
        return counted, panels.estimate_panel(counted, seconds, overlap, units=units, workbook=self.workbook)

    def _file(self) -> str:
        """The name by which customers are drawn, once the draft is saved under it."""
        return self.name.value or "draft"

    def _show_tab(self) -> None:
        """Fill the open tab, and it alone."""
        index = self.tabs.selected_index or 0
        panel = self.tabs.children[index]
        if self.audience is None or self.estimate is None:
            panel.value = "<p>Nothing to show while the rule is not complete.</p>"
            return
        try:
            panel.value = self._tab(self.titles[index], self.audience, self.estimate)
        except CannotExpress as error:
            panel.value = html.problem(str(error))

    def _tab(self, tab: str, audience: Audience, counted: Estimate) -> str:
        match tab:
            case "Funnel":
                return panels.funnel_panel(counted, self.workbook)
            case "Sentence":
                return html.sentences([to_sentence(audience, self.workbook.words)])
            case "SQL" | "PQL":
                return html.code(views.in_language(self.workbook, audience, tab.lower(), self._file()))
            case "YAML":
                return html.code(audience_files.to_yaml(audience))
            case "Notes":
                return html.sentences([*hints(audience), *platform_notes(audience)], "Nothing to note.")
            case "Changes":
                changes = audience_files.diff(self.saved, audience) if self.saved else ""
                return html.code(changes or ("As in the file." if self.saved else "Not saved yet."))
        with views.reading(self.workbook, self._file(), audience) as (session, context, _):
            rows = estimate.sample_customers(session, audience, context)
        return html.rows_table(
            rows,
            nothing="Nobody meets this rule.",
            heading=lambda name: header(name, self.workbook.words),
            number=",.0f",
            css="clv-customers",
        )

    # files

    def _open(self, draft: Draft, name: str, read_as: str) -> None:
        self.saved = audience_files.load(self.workbook, name) if name else None
        with self.fill():
            self.composer.source.value = "rule"  # until the draft says otherwise
        super()._open(draft, name, read_as)

    def read(self, name: str) -> Draft:
        return Draft(audience_files.load(self.workbook, name))

    def write(self, name: str, read_as: str) -> str:
        if problem := problem_of(self.draft):
            raise UserError(problem)
        audience = self.draft.parse()
        with views.reading(self.workbook, name, audience):
            pass  # which raises what is wrong with it
        fingerprint = audience_files.save(self.workbook, name, audience, read_as)
        self.saved = audience
        return fingerprint

    def copy(self) -> None:
        """Go on with a copy, to be saved under another name."""
        self.saved = None
        super().copy()

    def evaluate(self) -> None:
        """Bring the memberships of the saved audience up to date."""
        if not self.opened:
            raise UserError("Save the audience first; then it can be evaluated.")
        row = next(r for r in memberships.evaluate(self.workbook, self.opened) if r.audience == self.opened)
        customers = self.workbook.words.customers
        counts = f"{row.customers:,} {customers}: {row.realized:,} realized, {row.exited:,} exited"
        self.status.value = html.done(counts, "clv-evaluated")


def _in_words(row: Row, draft: Draft, words: Words) -> str:
    """A row of the canvas: how it is joined to the one above, and what it says."""
    joined = ""
    if row.path and row.path[-1]:
        joined = "and " if draft.at(row.path[:-1]).container == "all" else "or "
    out = "EXCLUDING " if row.excluded else ""
    if row.container:
        return f"{joined}{out}{'all of' if row.container == 'all' else 'any of'}:"
    try:
        return f"{joined}{out}{part_in_words(parse_part(row.part), words)}"
    except (ValidationError, ParamsError):
        return f"{joined}{out}(not complete) {yaml_files.dump(row.part).strip()}"
