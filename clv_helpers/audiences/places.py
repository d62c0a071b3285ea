"""The SQL of a rank and of a split: who is among the first, and in whose branch a customer is drawn.

Both hash the customer's id with the audience's name, each in its own way: ties of a rank that were broken by the hash
of the split would all be in one branch.
"""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.audiences.composition import WHOLE, Drawn, Rank, fraction
from clv_helpers.engines.dialect import expression

HASH = "MD5(CONCAT($salt, $customer))"
PLACE = {
    "descending": "ROW_NUMBER() OVER (ORDER BY $by DESC NULLS LAST, $hash, $customer)",
    "ascending": "ROW_NUMBER() OVER (ORDER BY $by ASC NULLS LAST, $hash, $customer)",
}
PLACES = """
    SELECT $customer AS customer_id, $place AS place, COUNT(*) OVER () AS customers
    FROM "profile"."customer" AS p WHERE $test
"""


def first_places(rank: Rank, audience: str, customer: exp.Expr, test: exp.Expr) -> exp.Select:
    """The customers who are among the first by a rank, of those of the profile (alias p) who pass a test."""
    place = expression(
        PLACE[rank.order],
        by=exp.column(rank.by, table="p", quoted=True),
        hash=expression(HASH, salt=f"rank|{audience}|", customer=customer),
        customer=customer,
    )
    places = expression(PLACES, place=place, customer=customer, test=test)
    if isinstance(rank.limit, int):
        stays = expression("r.place <= $limit", limit=rank.limit)
    else:  # of whole numbers alone, so that no engine rounds
        share = fraction(rank.limit)
        bounds = {"whole": share.denominator, "part": share.numerator}
        stays = expression("(r.place - 1) * $whole < r.customers * $part", **bounds)
    query = expression("SELECT r.customer_id FROM $places AS r WHERE $stays", places=places, stays=stays)
    return query.assert_is(exp.Select)


def is_drawn(branch: Drawn, customer: exp.Expr) -> exp.Expr:
    """Whether a customer's hash lies in a branch: hexadecimal digits compare as the numbers that they write."""
    drawn = expression(
        "SUBSTRING($hash, 1, 8)", hash=expression(HASH, salt=f"split|{branch.audience}|", customer=customer)
    )
    tests = [expression("$drawn >= $low", drawn=drawn, low=f"{branch.low:08x}")]
    if branch.high < WHOLE:
        tests.append(expression("$drawn < $high", drawn=drawn, high=f"{branch.high:08x}"))
    return exp.paren(exp.and_(*tests, copy=False), copy=False)
