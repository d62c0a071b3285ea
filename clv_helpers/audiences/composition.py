"""What may follow on who is chosen: a rank with its limit, and a split into branches that are audiences themselves.

Both rest on a hash of the customer's id: ties of a rank are broken, and branches are drawn, always alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clv_helpers.config.validation import Strict

SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?) ?%")
BRANCH_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
SEPARATOR = "."  # which no name of a file holds: best.offer_a is a branch of audiences/best.yml
WHOLE = 1 << 32  # the first eight digits of a hash


def fraction(share: str) -> Fraction:
    """A share such as `12.5%` as a number from 0 to 1, exactly. Raises ValueError."""
    found = SHARE.fullmatch(share)
    if not found or not 0 < Fraction(found[1]) <= 100:
        raise ValueError("a share of more than 0% and at most 100%, such as 40%")
    return Fraction(found[1]) / 100


def _is_share(share: str) -> str:
    fraction(share)
    return share


def _limit(value: Any) -> Any:
    if isinstance(value, str) and SHARE.fullmatch(value):
        return _is_share(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number from 1, or a share such as 10%")
    return value


Share = Annotated[str, AfterValidator(_is_share)]


class Rank(Strict):
    """The best by an attribute, and how many of them stay."""

    by: str = Field(min_length=1)
    """a number, a day or a moment of the profile; who lacks it comes last"""
    order: Literal["descending", "ascending"] = "descending"
    """whether the largest come first, or the smallest; equal ones by a hash of the customer's id"""
    limit: Annotated[int | str, BeforeValidator(_limit)]
    """how many stay: a number, or a share of those who are ranked, rounded up"""


class Split(Strict):
    """Branches, each an audience `<audience>.<branch>`; who is in one stays there as long as the shares do."""

    into: dict[str, Share] = Field(min_length=1)
    """each branch with its share, of together at most 100%; the others are in no branch"""

    @model_validator(mode="after")
    def _fits(self) -> Split:
        if wrong := [name for name in self.into if not BRANCH_NAME.fullmatch(name)]:
            raise ValueError(f"into is {wrong[0]!r}; allowed: small letters, digits, _ and -, such as offer_a")
        if (together := sum(map(fraction, self.into.values()))) > 1:
            raise ValueError(f"into is {float(together * 100):g}% together; allowed: at most 100%")
        return self


@dataclass(frozen=True)
class Drawn:
    """A part of a rule that no file holds: whose hash lies in a branch's range of 2^32; `audience`: the one split."""

    audience: str
    branch: str
    share: str
    low: int
    high: int


@dataclass(frozen=True)
class Given:
    """A part of a rule that no file holds: those whom an audience's SQL gives, or its list."""

    kind: Literal["sql", "list"]
    source: str


def draws(name: str, split: Split) -> list[Drawn]:
    """The branches of a split audience, each from where the one before it ends."""
    found, so_far = [], Fraction(0)
    for branch, share in split.into.items():
        low, so_far = so_far, so_far + fraction(share)
        found.append(Drawn(name, branch, share, round(low * WHOLE), round(so_far * WHOLE)))
    return found


def file_name(audience: str) -> str:
    """The name of the file in which an audience, perhaps a branch, stands."""
    return audience.partition(SEPARATOR)[0]
