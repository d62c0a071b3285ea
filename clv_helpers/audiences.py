"""Stage 4: an audience is a small rule in YAML, compiled by sqlglot to one query over the profile."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from sqlglot import exp

from clv_helpers import show, specs
from clv_helpers.charts import Channel, Widget, draw
from clv_helpers.engines.dialect import column, is_in, literal, table, to_sql
from clv_helpers.lake import refresh_tables
from clv_helpers.show import Shown
from clv_helpers.validation import ParamsError, Problem, Strict
from clv_helpers.workbook import Workbook

Value = str | int | float | bool
COMPARISONS: dict[str, type[exp.Binary]] = {
    "equals": exp.EQ,
    "not equals": exp.NEQ,
    "at most": exp.LTE,
    "at least": exp.GTE,
    "less than": exp.LT,
    "more than": exp.GT,
}


class Condition(Strict):
    """One question about a field of the profile. A member without the value never meets it, but for `missing`."""

    field: str
    op: Literal[
        "equals", "not equals", "at most", "at least", "less than", "more than",
        "between", "in", "not in", "exists", "missing",
    ]  # fmt: skip
    value: Value | list[Value] | None = None

    @model_validator(mode="after")
    def _value_fits(self) -> Condition:
        count = len(self.value) if isinstance(self.value, list) else int(self.value is not None)
        if self.op in ("exists", "missing") and count:
            raise ValueError(f"value is {self.value!r}; allowed: nothing, as {self.op} asks for no value")
        if self.op == "between" and not (isinstance(self.value, list) and count == 2):
            raise ValueError(f"value is {self.value!r}; allowed: two values, the lowest and the highest")
        if self.op in ("in", "not in") and not (isinstance(self.value, list) and count):
            raise ValueError(f"value is {self.value!r}; allowed: a list of at least one value")
        if self.op in COMPARISONS and (count != 1 or isinstance(self.value, list)):
            raise ValueError(f"value is {self.value!r}; allowed: one value")
        return self

    def to_expression(self) -> exp.Expression:
        """The condition in SQL, never NULL: a missing value is false."""
        field = column(self.field)
        if self.op == "exists":
            return exp.Not(this=exp.Is(this=field, expression=exp.null()))
        if self.op == "missing":
            return exp.Is(this=field, expression=exp.null())
        if self.op == "between":
            low, high = self.value
            test: exp.Expression = exp.Between(this=field, low=literal(low), high=literal(high))
        elif self.op in ("in", "not in"):
            test = is_in(field, list(self.value))
            test = exp.Not(this=test) if self.op == "not in" else test
        else:
            test = COMPARISONS[self.op](this=field, expression=literal(self.value))
        return exp.Is(this=exp.paren(test), expression=exp.true())


def _kind_of(part: Any) -> str:
    is_condition = isinstance(part, Condition) or (isinstance(part, dict) and "field" in part)
    return "<condition>" if is_condition else "<rule>"


Part = Annotated[Annotated["Condition", Tag("<condition>")] | Annotated["Rule", Tag("<rule>")], Discriminator(_kind_of)]


class Rule(Strict):
    """A container of conditions and of further containers: `all` of them, `any` of them, or `not` the one."""

    all: list[Part] | None = Field(default=None, min_length=1)
    any: list[Part] | None = Field(default=None, min_length=1)
    not_: Part | None = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _exactly_one(self) -> Rule:
        if sum(part is not None for part in (self.all, self.any, self.not_)) != 1:
            raise ValueError("rule is given with none or several of all, any, not; allowed: exactly one of them")
        return self

    def to_expression(self) -> exp.Expression:
        """The container in SQL."""
        if self.not_ is not None:
            return exp.not_(self.not_.to_expression())
        parts = [part.to_expression() for part in self.all or self.any or []]
        return exp.and_(*parts) if self.all else exp.or_(*parts)

    def conditions(self) -> list[Condition]:
        """All conditions below this container."""
        parts = [*(self.all or []), *(self.any or []), *([self.not_] if self.not_ else [])]
        return [c for part in parts for c in (part.conditions() if isinstance(part, Rule) else [part])]


class Audience(Strict):
    """One audience file."""

    title: str
    description: str = ""
    rule: Rule


def names(workbook: Workbook) -> list[str]:
    """The audiences of a workbook."""
    return specs.names(workbook, "audiences")


def load(workbook: Workbook, name: str) -> Audience:
    """Read an audience. Raises ParamsError, which names the condition, its value and what is allowed."""
    return specs.load(workbook, "audiences", name, Audience)


def to_query(workbook: Workbook, name: str, fields: list[str]) -> exp.Select:
    """The members of an audience: one row each. Raises ParamsError for a field that the profile lacks."""
    audience = load(workbook, name)
    for condition in audience.rule.conditions():
        if condition.field not in fields:
            problem = Problem(f"field {condition.field!r}", "not in the profile", ", ".join(fields))
            raise ParamsError(f"audiences/{name}.yml", [problem])
    select = exp.select(literal(name).as_("audience"), column("membership_number"))
    return select.from_(table("profile.member")).where(audience.rule.to_expression())


def evaluate(workbook: Workbook) -> None:
    """Evaluate all audiences into audiences.membership (one row: an audience and a member), and publish.

    Their sizes go to audiences.fact_audience, a row per audience.
    Raises ParamsError where there is no audience, or one asks for a field that the profile lacks.
    Cost: one scan of the profile per audience.
    """
    found = names(workbook)
    if not found:
        where = f"YAML files in {workbook.specs}/audiences"
        raise ParamsError(str(workbook.file), [Problem("audiences", "none", where)])
    described = [_description(name, load(workbook, name)) for name in found]
    with workbook.engine.write(publish=True) as session:
        fields = list(session.columns(table("profile.member")))
        members = [to_query(workbook, name, fields) for name in found]
        session.create_table("audiences.membership", _union_all(members))
        session.create_table("audiences.dim_audience", _union_all(described))
        refresh_tables(session, workbook.bindings(session), "audiences")


def _union_all(queries: list[exp.Select]) -> exp.Expression:
    return exp.union(*queries, distinct=False) if queries[1:] else queries[0]


def _description(name: str, audience: Audience) -> exp.Select:
    """An audience's name, title and description as a one-row query."""
    texts = {"audience": name, "title": audience.title, "description": audience.description}
    return exp.select(*(literal(text).as_(key) for key, text in texts.items()))


def sizes(workbook: Workbook) -> Shown:
    """The audiences, with their size and what their members are worth."""
    currency = workbook.params.spending.unit
    return show.table(
        workbook.query("audiences.fact_audience", order_by="audience"),
        title="Audience",
        description="Who is in it",
        members="Members|,.0f",
        share_of_members="Share|.1%",
        spend_per_member=f"Spend each ({currency})|,.0f",
        mean_decile="Mean decile|.1f",
        mean_days_since_purchase="Mean days since purchase|,.0f",
    )


def rules(workbook: Workbook) -> Shown:
    """Each audience's rule as the SQL that is run."""
    with workbook.engine.read() as session:
        fields = list(session.columns(table("profile.member")))
    queries = [to_sql(to_query(workbook, name, fields), pretty=True) for name in names(workbook)]
    return show.code(";\n\n".join(queries))


def chart(workbook: Workbook) -> Shown:
    """The audiences side by side."""
    widget = Widget(
        title_from="top",
        title="{title} are worth {spend_per_member} {currency} each",
        subtitle="Mean spend per member of each audience ({currency})",
        table="audiences.fact_audience",
        mark="bar",
        x=Channel(column="spend_per_member", title="{currency} per member", format=",.0f"),
        y=Channel(column="title", title="", sort="-spend_per_member"),
    )
    return draw(workbook, widget)
