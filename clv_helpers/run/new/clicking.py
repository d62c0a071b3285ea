"""Notebook 0: `clv new` by clicking: a table of columns with choices, the doubts, and the sums that follow."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.editors.editor import LABELLED, soon
from clv_helpers.editors.html import done, problem, sentences
from clv_helpers.errors import UserError
from clv_helpers.run import new
from clv_helpers.run.new import draft, guess
from clv_helpers.run.new.draft import Draft

UNUSED = "– not used –"
# What a header may be chosen for, in the words of the choices.
CHOICES = {
    "customer_id": "customer", "email": "e-mail address", "occurred_at": "date of the order",
    "order_id": "order number", "amount": "amount", "price": "price of one piece", "quantity": "quantity",
    "currency": "currency", "refunded": "refunded amount", "refund_of": "order that is paid back", "status": "status",
    "tax": "tax", "shipping": "shipping", "discount": "discount", "product": "product",
    "product_id": "product number", "category": "category to compare by", "event_type": "event",
    "message_id": "message", "campaign": "campaign", "joined_on": "customer since",
    "email_consent": "consent to e-mail", "first_name": "first name", "last_name": "last name", "region": "region",
}  # fmt: skip


def desk(source: str = "", name: str = "my_shop", run_name: str = "") -> Any:
    """From a file, a folder or a pattern to the params of a workbook, NAME.yml, corrected by clicking.

    Gives an ipywidgets box in JupyterLab; in a batch run the doubts are settled by their defaults, the params are
    written, and what is shown names no value of the data. Raises NewWorkbookError, in a batch run, as `clv new` does.
    """
    return _settled(source, name) if run_name else Desk(source, name).widget


def _settled(source: str, name: str) -> Output:
    file = new.file_of(name)
    with new.reading(file, source) as read:
        made = new.answered(read, new.questions(read), {})
        counted = new.sums(made, file)
        new.write(made, file, f" from {Path(source).name}, whose columns are guessed")
    rows = [
        {"header": header, "column": column or "–"}
        for dataset in made.samples
        for header, column in made.taken_for(dataset).items()
    ]
    told = [show.note(sentence) for sentence in counted.totals()]
    table = show.table(rows, header="Header of the file", column="Read as", people=None)
    return show.stack(table, *told, show.note(f"{file} is written"))


class Desk:
    """Holds the draft and the fields; `widget` is the box to display."""

    def __init__(self, source: str, name: str):
        import ipywidgets as ipw

        self.ipw, self.stack = ipw, contextlib.ExitStack()
        self.read_first: Draft | None = None
        self.made: Draft | None = None
        self.answers: dict[str, str] = {}
        wide = {"style": LABELLED, "layout": {"width": "420px"}}
        self.source = ipw.Text(
            description="Your data", value=source, placeholder="orders.csv, orders/, orders/*.csv", **wide
        )
        self.name = ipw.Text(description="Workbook", value=name, style=LABELLED, layout={"width": "240px"})
        self.columns, self.asked = ipw.VBox(), ipw.VBox()
        self.sums, self.status = ipw.HTML(), ipw.HTML()
        bar = ipw.HBox(
            [self.source, self._button("Read", self.read), self.name, self._button("Write", self.write, "primary")]
        )
        self.widget = ipw.VBox([bar, self.status, self.columns, self.asked, self.sums]).add_class("clv-desk")
        if source:
            self._attempt(self.read)

    def read(self) -> None:
        """Look at the files anew; what was chosen before goes."""
        self.stack.close()
        self.answers = {}
        self.read_first = self.stack.enter_context(new.reading(self._file(), self.source.value))
        self._show_columns(self.read_first)
        self._follow(self.read_first)

    def write(self) -> None:
        """Write the params, whole, and never over a file that is there."""
        if self.made is None:
            raise UserError("There is nothing to write yet: name your data, and press Read.")
        file = new.file_of(self.name.value)
        new.write(self.made, file, f" from {Path(self.source.value).name}")
        self.status.value = done(f"{file} is written; run it with: clv run {file}")

    def _file(self) -> Path:
        return new.file_of(self.name.value)

    def _show_columns(self, made: Draft) -> None:
        self.fields: dict[tuple[str, str], Any] = {}
        parts = []
        for dataset in made.samples:
            rows = sum(sample.rows for sample in made.samples[dataset])
            parts.append(self.ipw.HTML(f"<h4>{rows:,} rows, taken for {html.escape(made.kind(dataset))}</h4>"))
            cells = [self.ipw.HTML(f"<b>{head}</b>") for head in ("Header", "Read as", "Values")]
            for header in made.taken_for(dataset):
                field = self._choice(dataset, header, made)
                values = html.escape(", ".join(made.examples(dataset, header)))
                cells += [
                    self.ipw.HTML(html.escape(header)),
                    field,
                    self.ipw.HTML(f"<span class='clv-values'>{values}</span>"),
                ]
            layout = {"grid_template_columns": "minmax(10em, max-content) 230px 1fr", "grid_gap": "0 14px"}
            parts.append(self.ipw.GridBox(cells, layout=layout))
        self.columns.children = parts

    def _choice(self, dataset: str, header: str, made: Draft) -> Any:
        reading = next(r for r in made.readings[dataset] if r.preset or header in _headers(made, dataset, r))
        roles = {h: role for role, h in reading.headers.items()}
        if reading.amount_sql:
            roles[reading.headers["price"]] = "price"
        options = [
            (UNUSED, ""),
            *((CHOICES.get(role, role), role) for role in guess.KINDS[dataset] if role != "customer_name"),
        ]
        role = roles.get(header, "")
        field = self.ipw.Dropdown(
            options=options, value=role if role in (known for _, known in options) else "", layout={"width": "220px"},
            disabled=bool(reading.preset), tooltip=f"what {header} is",
        )  # fmt: skip
        self.fields[dataset, header] = field
        field.observe(lambda change: self._attempt(partial(self._chosen, dataset, header, change["new"])), "value")
        return field

    def _chosen(self, dataset: str, header: str, role: str) -> None:
        """One header is another thing now; a role that was another header's leaves it."""
        if getattr(self, "filling", False) or self.read_first is None:
            return
        self.filling = True
        try:
            for (held, other), field in self.fields.items():
                if (
                    role
                    and held == dataset
                    and other != header
                    and field.value == role
                    and self._together(dataset, header, other)
                ):
                    field.value = ""
        finally:
            self.filling = False
        roles = {place: field.value for place, field in self.fields.items()}
        self.made = None
        self._follow(draft.corrected(self._file(), Path(self.source.value), self.read_first, roles))

    def _together(self, dataset: str, header: str, other: str) -> bool:
        """Whether some file has both headers; those of different files are alternatives."""
        samples = self.read_first.samples[dataset] if self.read_first else []
        return any({header, other} <= set(sample.headers) for sample in samples)

    def _follow(self, read: Draft) -> None:
        """Ask what is in doubt of this reading, and sum it up."""
        asked = new.questions(read)
        self.asked.children = [self._question(read, asked, question) for question in asked[: new.MOST]]
        self._count(read, asked)

    def _question(self, read: Draft, asked: list[new.Question], question: new.Question) -> Any:
        value = self.answers.get(question.key, question.default)
        value = value if value in question.answers else question.default
        field = self.ipw.RadioButtons(options=list(question.answers), value=value, layout={"width": "max-content"})

        def answer(change: dict[str, Any]) -> None:
            self.answers[question.key] = change["new"]
            self._attempt(partial(self._count, read, asked))

        field.observe(answer, "value")
        return self.ipw.VBox([self.ipw.HTML(f"<b>{html.escape(question.text)}</b>"), field])

    def _count(self, read: Draft, asked: list[new.Question]) -> None:
        known = {question.key: question.answers for question in asked}
        answers = {key: answer for key, answer in self.answers.items() if answer in known.get(key, {})}
        made = new.answered(read, asked, answers)
        self.sums.value = "<p>counting …</p>"
        try:
            counted = new.sums(made, self._file())
        except UserError:
            self.sums.value = ""
            raise
        self.sums.value = sentences([*counted.sentences(*made.words()), *read.notes])
        self.made = made

    def _button(self, label: str, action: Callable[[], object], style: str = "") -> Any:
        button = self.ipw.Button(description=label, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: soon(partial(self._attempt, action)))
        return button

    def _attempt(self, action: Callable[[], object]) -> None:
        """Act; what cannot be done stands in the status line."""
        try:
            self.status.value = ""
            action()
        except UserError as error:
            self.status.value = problem(str(error))


def _headers(made: Draft, dataset: str, reading: guess.Reading) -> list[str]:
    return made.samples[dataset][made.readings[dataset].index(reading)].headers
