"""The params of destinations and activations. Each type of destination brings keys of its own."""

from __future__ import annotations

import functools
import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, InstanceOf, SerializeAsAny, model_validator

from clv_helpers.config.validation import Strict, nearest
from clv_helpers.errors import UserError

GROUP = "clv_helpers.destinations"  # the entry points by which types of destination are found
STATUS_FIELD = "membership_status"  # in `columns`: whether the customer is in the audience, a MembershipStatus
# New in the audience at this destination, in it since before, or no longer in it.
MembershipStatus = Literal["realized", "existing", "exited"]


class DestinationError(UserError):
    """A destination that does not answer, or does not take what it is given. What is open stays open."""


class Deduplication(Strict):
    """What may occur once. The latest qualification wins, then the latest purchase."""

    attributes: list[str] = Field(default=[], max_length=2)
    """one field of the profile, or two together, small and capital letters alike"""
    identity: str = ""
    """in their place, the namespace of an identity, such as that of e-mail addresses"""

    @model_validator(mode="after")
    def _one_of_them(self) -> Deduplication:
        if bool(self.attributes) == bool(self.identity):
            raise ValueError("attributes is given beside identity, or neither is given; allowed: one of the two")
        return self


class DestinationParams(Strict):
    """What every destination has."""

    type: str
    """`files`, `smtp`, `eloqua`, `table` or the name of an installed plug-in; none: `files`"""
    columns: dict[str, str] = Field(min_length=1)
    """field of the profile, or `membership_status`: its name at the destination, in this order"""
    status_values: dict[MembershipStatus, str] = {}
    """what is written for a `membership_status`: `realized` (new there), `existing` (there since an earlier activation)
    or `exited` (no longer sent); none: the status itself"""
    mandatory: list[str] = []
    """fields of the profile without which a customer is not sent"""
    require_consent: bool = True
    """whether only customers who have given consent are sent"""
    deduplicate: Deduplication | None = None
    """what may occur once; none: customers are not compared"""
    mode: Literal["once", "incremental", "full"] = "once"
    """`once`: each customer once per campaign; `incremental`: who is new, changed or exited; `full`: everyone each time
    (`smtp` always sends `once`; `eloqua` and `table` are `incremental` unless given)"""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, raw: Any) -> Any:
        for key in raw if isinstance(raw, dict) else ():
            if key not in cls.model_fields:
                raise ValueError(f"{key} is not a key; allowed: {nearest(str(key), sorted(cls.model_fields))}")
        return raw

    @property
    def fields(self) -> list[str]:
        """The fields of the profile that the destination asks for."""
        keys = self.deduplicate.attributes if self.deduplicate else []
        return [name for name in [*self.columns, *self.mandatory, *keys] if name != STATUS_FIELD]

    def secret(self, variable: str) -> str:
        """The value of an environment variable that the params name. Raises DestinationError where it is not set."""
        return secret(variable)


def secret(variable: str) -> str:
    """The value of an environment variable that the params name. Raises DestinationError where it is not set."""
    if variable not in os.environ:
        raise DestinationError(f"the environment variable {variable} is not set: a secret of this destination")
    return os.environ[variable]


def destination_types() -> dict[str, EntryPoint]:
    """The types of destination that are installed: name → entry point, ours and those of other packages."""
    return _installed(tuple(sys.path))


@functools.lru_cache(maxsize=4)
def _installed(_path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """To find them reads the metadata of every package: once for each path that modules are looked for on."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _by_type(raw: Any) -> Any:
    """The params of a destination as the model that its type brings."""
    if isinstance(raw, DestinationParams):
        return raw
    if not isinstance(raw, dict):
        raise ValueError("a mapping with type and columns")
    known, kind = destination_types(), raw.get("type", "files")
    if kind not in known:
        raise ValueError(f"type is {kind!r}; allowed: {', '.join(sorted(known))}")
    return known[kind].load().Params.model_validate(raw)


DestinationName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=60)]
AnyDestination = Annotated[SerializeAsAny[InstanceOf[DestinationParams]], BeforeValidator(_by_type)]


class FrequencyCap(Strict):
    """Who has had enough messages of other campaigns lately is not sent."""

    messages: int = Field(ge=1)
    """how many messages of other campaigns are enough"""
    days: int = Field(ge=1, le=366)
    """how many days before `as_of` they are counted over"""


class ControlGroup(Strict):
    """Customers who are not sent, to measure the effect by them."""

    share: float = Field(gt=0, le=0.5)
    """which share of customers is control, in each decile"""
    expected_rate: float = Field(default=0.05, gt=0, lt=1)
    """the share that responds by itself, by which the smallest effect that can show is worked out"""


class Guards(Strict):
    """What stops an activation before anything is written."""

    max_exited_share: float = Field(default=0.5, gt=0, le=1)
    """of those whom the destination has, the largest share that may exit"""
    max_size_change: float = Field(default=0.5, gt=0)
    """by which share the number sent may differ from the last one"""


class Activation(Strict):
    """One audience sent to one destination for one campaign."""

    audience: str
    """who is sent: the name of an audience's file"""
    destination: str
    """where to: a name under `destinations`"""
    campaign: str = Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=60)
    """the campaign, once per destination: letters, digits, `_` and `-`"""
    activate: bool = False
    """whether `clv run` delivers; otherwise it is a dry run"""
    frequency_cap: FrequencyCap | None = None
    """who has had enough messages is not sent; none: no limit"""
    control: ControlGroup | None = None
    """the share that is not sent, to measure the effect; none: nobody"""
    guards: Guards = Guards()
    """which changes since the last activation stop it"""


def check_plan(activations: list[Activation], destinations: dict[str, DestinationParams]) -> None:
    """Raise ValueError where activations name no destination, or say two things of one campaign."""
    shares: dict[str, float | None] = {}
    seen: set[tuple[str, str]] = set()
    for index, activation in enumerate(activations):
        place, campaign, destination = f"activations[{index}]", activation.campaign, activation.destination
        share = activation.control.share if activation.control else None
        if destination not in destinations:
            known = ", ".join(destinations) or "none is declared"
            raise ValueError(f"{place}.destination is {destination!r}; allowed: {known}")
        if (campaign, destination) in seen:
            raise ValueError(f"{place}.campaign is {campaign!r}; allowed: each campaign once per destination")
        if shares.setdefault(campaign, share) != share:
            allowed = f"{shares[campaign]}, as for the campaign's other destination"
            raise ValueError(f"{place}.control.share is {share}; allowed: {allowed}")
        seen.add((campaign, destination))
