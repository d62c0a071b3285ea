"""The covariates of the purchase models: which columns may be one, and how what they said first is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from clv_helpers.config.datasets import PRIMARY_IDENTITY, PROFILE_MEASURES
from clv_helpers.config.validation import nearest
from clv_helpers.engines.dialect import column, expression

if TYPE_CHECKING:
    from clv_helpers.config.params import Params

DATASETS = ("customers", "purchases")  # of a name that both have, the customers' counts
OF_ORDERS = {"order_id", "refund_of", "event_id"}
# Of the rows of a customer's first moment, and of its first batch, the least: their order does not matter. NULL must
# not be passed over: a value that came with a later purchase says that there was one.
SAID_FIRST = {
    "customers": """
        SELECT customer_id, $name AS covariate, MIN_BY(value, said) AS value,
            CASE WHEN COUNT(DISTINCT value) > 1 THEN 1 ELSE 0 END AS changed
        FROM (
            SELECT customer_id, COALESCE(CAST($value AS VARCHAR), '') AS value,
                STRUCT_PACK(a := _batch_id, b := COALESCE(CAST($value AS VARCHAR), '')) AS said
            FROM lake.customers
        ) AS v
        GROUP BY customer_id
    """,
    "purchases": """
        SELECT customer_id, $name AS covariate, MIN_BY(value, said) AS value, 0 AS changed
        FROM (
            SELECT customer_id, COALESCE(CAST($value AS VARCHAR), '') AS value,
                STRUCT_PACK(a := occurred_at, b := COALESCE(CAST($value AS VARCHAR), '')) AS said
            FROM lake.purchases
            WHERE $counts_as_spend
        ) AS v
        GROUP BY customer_id
    """,
}


def covariate_queries(params: Params, counts_as_spend: exp.Expression) -> list[exp.Expression]:
    """What each covariate said of a customer first: customer_id, covariate, value, changed."""
    known = _columns(params)
    return [
        expression(
            SAID_FIRST[known[name]],
            name=name,
            value=column(name),
            counts_as_spend=counts_as_spend,
        )
        for name in (params.lifetime.covariates if params.lifetime else [])
    ]


def check_covariates(params: Params) -> None:
    """Raise ValueError, with the place, for covariates that are no column of few values, or named twice."""
    known = _columns(params)
    for name in (names := params.lifetime.covariates if params.lifetime else []):
        place = f"lifetime.covariates is {name!r}"
        if name not in known and (name in PROFILE_MEASURES or name in params.attributes):
            raise ValueError(f"{place}, which changes with the purchases; allowed: {', '.join(known) or 'none here'}")
        if name not in known:
            raise ValueError(f"{place}; allowed: {_near(name, list(known))}")
        if names.count(name) > 1:
            raise ValueError(f"{place} twice; allowed: once")


def _columns(params: Params) -> dict[str, str]:
    """The columns that may be covariates, each with its dataset: texts and yes or no, that name nobody and no order."""
    found: dict[str, str] = {}
    for dataset in DATASETS:
        for name, each in params.contract(dataset).items():
            is_named = each.personal or each.identity or name == PRIMARY_IDENTITY or name in OF_ORDERS
            if each.type in ("text", "boolean") and not is_named:
                found.setdefault(name, dataset)
    return found


def _near(name: str, known: list[str]) -> str:
    meant = nearest(name, known) if known else "no text column in customers or purchases"
    return meant.removeprefix("did you mean ").removesuffix("?")
