"""Expressions over one row of a file, as params write them: `Quantity * Price`, `StockCode IN ('POST', 'DOT')`."""

from __future__ import annotations

from sqlglot import exp, parse, tokenize
from sqlglot.errors import ParseError, TokenError

from clv_helpers.engines.dialect import DIALECT, syntax_error

# What a row is told by: each computes from its arguments alone, and makes no more of them than they are.
FUNCTIONS = frozenset({
    "abs", "ceil", "coalesce", "concat", "concat_ws", "contains", "ends_with", "floor", "greatest", "if", "least",
    "left", "length", "lower", "ltrim", "mod", "nullif", "regexp_extract", "regexp_matches", "regexp_replace",
    "replace", "right", "round", "rtrim", "sign", "split_part", "starts_with", "strip_accents", "substring", "trim",
    "upper",
})  # fmt: skip
# The classes in which sqlglot parses some of them.
KNOWN = (
    exp.Abs, exp.Ceil, exp.Coalesce, exp.Concat, exp.ConcatWs, exp.Contains, exp.EndsWith, exp.Floor, exp.Greatest,
    exp.If, exp.Least, exp.Left, exp.Length, exp.Lower, exp.Mod, exp.Nullif, exp.RegexpExtract, exp.RegexpLike,
    exp.RegexpReplace, exp.Replace, exp.Right, exp.Round, exp.Sign, exp.SplitPart, exp.StartsWith, exp.Substring,
    exp.Trim, exp.Upper,
    exp.Case, exp.Cast, exp.TryCast, exp.And, exp.Or, exp.Xor,
)  # fmt: skip
PARTS = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Neg, exp.Not, exp.Tuple,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.DPipe,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Like, exp.ILike,
    exp.NullSafeEQ, exp.NullSafeNEQ, exp.DataType, exp.DataTypeParam,
)  # fmt: skip
TYPES = frozenset({"VARCHAR", "TEXT", "INT", "BIGINT", "DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "BOOLEAN"})
ALLOWED = (
    'headers of the file (with blanks in double quotes: "Customer ID"), texts in single quotes, numbers, + - * / ||, '
    "comparisons, IN, LIKE, BETWEEN, CASE, CAST, AND, OR, NOT, and the functions " + ", ".join(sorted(FUNCTIONS))
)


def read_expression(sql: str) -> exp.Expression:
    """An expression over the headers of a file, as a tree; a cast that fails gives nothing in it.

    Raises ValueError, with what is wrong and what is allowed, for anything else: it reads one row, and nothing beside.
    """
    try:
        tokenize(sql, read=DIALECT)
        trees = [tree for tree in parse(sql, read=DIALECT) if tree is not None]
    except ParseError as error:
        raise ValueError(f"an expression over the headers, such as Quantity * Price ({syntax_error(error)})") from None
    except TokenError:
        raise ValueError("an expression over the headers, such as Quantity * Price (a quote is not closed)") from None
    if len(trees) != 1:
        raise ValueError(f"one expression, not {len(trees)}")
    (tree,) = trees
    for node in tree.walk():
        refused = _refusal(node)
        if refused:
            raise ValueError(f"without {refused}: {ALLOWED}")
    return tree.transform(_patient)  # type: ignore[return-value]  # as dialect.parse


def check(sql: str) -> str:
    """An expression as it stands. Raises ValueError as `read_expression` does."""
    if sql:
        read_expression(sql)
    return sql


def _refusal(node: exp.Expr) -> str:
    """What a part of an expression is called, where it may not stand there."""
    if isinstance(node, exp.Column):
        return "a point in a name" if node.args.get("table") or isinstance(node.this, exp.Star) else ""
    if isinstance(node, exp.DataType):
        return "" if node.this.value in TYPES and not node.args.get("nested") else f"the type {node.sql(DIALECT)}"
    if isinstance(node, exp.In) and (node.args.get("query") or node.args.get("unnest")):
        return "a query"
    if isinstance(node, (*KNOWN, *PARTS)):
        return ""
    if isinstance(node, exp.Anonymous):
        return "" if node.name.lower() in FUNCTIONS else f"{node.name.lower()}()"
    if isinstance(node, exp.Func):
        return f"{node.sql_name().lower()}()"
    if isinstance(node, exp.Query | exp.Subquery):
        return "a query"
    return f"{' '.join(node.sql(DIALECT).split())[:40]!r}"


def _patient(node: exp.Expr) -> exp.Expr:
    """A cast of what one row holds must not end the reading of all: it gives NULL."""
    if type(node) is exp.Cast:
        return exp.TryCast(this=node.this, to=node.args["to"])
    return node
