"""The params of destinations and activations. Each type of destination brings keys of its own."""

from __future__ import annotations

import difflib
import os
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, InstanceOf, SerializeAsAny, model_validator

from clv_helpers.config.validation import Strict
from clv_helpers.errors import UserError

GROUP = "clv_helpers.destinations"  # the entry points by which types of destination are found
STATUS_FIELD = "membership_status"  # in `columns`: whether the customer is in the audience, a MembershipStatus
# New in the audience at this destination, in it since before, or no longer in it.
MembershipStatus = Literal["realized", "existing", "exited"]


class DestinationError(UserError):
    """A destination that does not answer, or does not take what it is given. What is open stays open."""


class Deduplication(Strict):
    """What may occur once: one attribute, two together, or an identity's namespace. Latest qualification wins."""

    attributes: list[str] = Field(default=[], max_length=2)
    identity: str = ""

    @model_validator(mode="after")
    def _one_of_them(self) -> Deduplication:
        if bool(self.attributes) == bool(self.identity):
            raise ValueError("attributes is given beside identity, or neither is given; allowed: one of the two")
        return self


class DestinationParams(Strict):
    """What every destination has. `columns` maps fields of the profile to the names that the destination knows.

    `status_values`: what is written for a membership status, where the receiver knows it by another word.
    """

    type: str
    columns: dict[str, str] = Field(min_length=1)
    status_values: dict[MembershipStatus, str] = {}
    mandatory: list[str] = []
    require_consent: bool = True
    deduplicate: Deduplication | None = None
    mode: Literal["full", "incremental"] = "full"

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, raw: Any) -> Any:
        for key in raw if isinstance(raw, dict) else ():
            if key not in cls.model_fields:
                close = difflib.get_close_matches(str(key), cls.model_fields, n=1)
                allowed = f"did you mean {close[0]}?" if close else ", ".join(sorted(cls.model_fields))
                raise ValueError(f"{key} is not a key; allowed: {allowed}")
        return raw

    @property
    def fields(self) -> list[str]:
        """The fields of the profile that the destination asks for."""
        keys = self.deduplicate.attributes if self.deduplicate else []
        return [name for name in [*self.columns, *self.mandatory, *keys] if name != STATUS_FIELD]

    def secret(self, variable: str) -> str:
        """The value of an environment variable that the params name. Raises DestinationError where it is not set."""
        if variable not in os.environ:
            raise DestinationError(f"the environment variable {variable} is not set: a secret of this destination")
        return os.environ[variable]


def destination_types() -> dict[str, EntryPoint]:
    """The types of destination that are installed: name → entry point, ours and those of other packages."""
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
    """At most this many messages of other campaigns in the days before as_of; who has had them is not sent."""

    messages: int = Field(ge=1)
    days: int = Field(ge=1, le=366)


class ControlGroup(Strict):
    """The share that is control, to measure the effect, and the rate at which customers respond by themselves."""

    share: float = Field(gt=0, le=0.5)
    expected_rate: float = Field(default=0.05, gt=0, lt=1)


class Guards(Strict):
    """What stops an activation: the share of the last one that would exit, and by how much the size would differ."""

    max_exited_share: float = Field(default=0.5, gt=0, le=1)
    max_size_change: float = Field(default=0.5, gt=0)


class Activation(Strict):
    """One audience sent to one destination for one campaign."""

    audience: str
    destination: str
    campaign: str = Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=60)
    activate: bool = False
    frequency_cap: FrequencyCap | None = None
    control: ControlGroup | None = None
    guards: Guards = Guards()


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
