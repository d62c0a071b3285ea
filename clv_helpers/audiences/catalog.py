"""What a rule may ask about: the columns of the profile and of the events, with their types and what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from clv_helpers.audiences.rule import Audience, AudienceCondition, walk
from clv_helpers.conditions import OPERATORS_OF, Attribute, kind_of
from clv_helpers.config.attributes import about, attribute_kind, profile_columns
from clv_helpers.config.datasets import EVENT_DATASETS, PRIMARY_IDENTITY, ColumnContract, ColumnType
from clv_helpers.config.deciles import column_of
from clv_helpers.config.event_rows import event_columns, event_table
from clv_helpers.config.params import Params
from clv_helpers.config.settings import Words
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session

WINDOWS = "derived.rank_window"
GENERAL_WORDS = Words(category="category")  # where no workbook says what things are called
MASKED = ("customer_id", "email", "first_name", "last_name")
# What a column means; {names} are the words of the workbook.
ABOUT = {
    "customer_id": "Identifies the {customer}",
    "email": "E-mail address",
    "region": "Where the {customer} lives",
    "joined_on": "Day on which the {customer} joined",
    "email_consent": "Whether the {customer} agreed to e-mail",
    "category": "The {customer}'s {category}, as of the latest {purchase}",
    "first_purchase_on": "Day of the first {purchase}",
    "last_purchase_on": "Day of the latest {purchase}",
    "frequency": "Days with {purchases} after the first such day",
    "recency_days": "Days from the first {purchase} to the latest",
    "purchases": "Number of {purchases}",
    "value": "Sum of the {value} that deciles rank",
    "spend": "Sum of what {purchases} cost",
    "monetary_value": "Mean spend per day with {purchases} after the first such day",
    "first_product": "What was bought first: of the first {purchase} the line with the largest amount",
    "last_product": "What was bought last: of the latest {purchase} the line with the largest amount",
    "age_days": "Days from the first {purchase} to as_of",
    "days_since_purchase": "Days from the latest {purchase} to as_of",
    "recency_score": "How lately the {customer} bought, in fifths of all {customers}; 5 is the latest",
    "frequency_score": "On how many days the {customer} bought again, in fifths of all {customers}; 5 is the most",
    "monetary_score": "How much the {customer} spent, in fifths of all {customers}; 5 is the most",
    "rfm_segment": "The RFM segment: champions, loyal, potential loyalists, new, promising, need attention, about to "
    "sleep, at risk, cannot lose them, hibernating or lost",
    "is_bot": "Whether the {customer} is taken for a bot",
    "first_touch": "The channel of the first touch before the latest {purchase}",
    "last_touch": "The channel of the last touch before the latest {purchase}",
    "occurred_at": "When it happened",
    "transaction_type": "What was credited or debited",
    "transaction_details": "Route or reason",
    "amount": "What it cost",
    "campaign": "The campaign a message belongs to",
    "event_type": "What became of the message",
    "user_agent": "The program that opened it",
}


@dataclass(frozen=True)
class Catalog:
    """The columns by name: of the profile, and of each dataset of events that this workbook has."""

    profile: dict[str, Attribute]
    events: dict[str, dict[str, Attribute]]
    maps: dict[str, list[str]] = field(default_factory=dict)
    """the rankings that the params ask for, with their look-backs"""


def read_catalog(
    session: Session, events: dict[str, str], words: Words = GENERAL_WORDS, params: Params | None = None
) -> Catalog:
    """The columns of this store; `events` names the table of each dataset, `words` fill the descriptions.

    `params`: of the workbook, which say what lookups add to the columns of events.
    """
    there = {name: _attributes(session, source, words) for name, source in events.items() if session.has_table(source)}
    if params:
        for name, columns in there.items():
            asked = event_columns(params, name)
            own = {key: each for key, each in columns.items() if key in asked or name not in params.sessions}
            there[name] = own | _looked_up(asked, words)
    profile, maps = _attributes(session, "profile.customer", words), _rankings(session, params)
    for name, lookbacks in maps.items():
        for lookback in lookbacks:
            if attribute := profile.get(column_of(name, lookback)):
                place = f"Place by {name.replace('_', ' ')}, {lookback}; 1 is the best"
                profile[attribute.name] = replace(attribute, about=place)
    said = {name: about(params, name) for name in params.attributes} if params else {}
    for name in profile.keys() & said.keys():
        profile[name] = replace(profile[name], about=said[name])
    return Catalog(profile, there, maps)


def _rankings(session: Session, params: Params | None) -> dict[str, list[str]]:
    """The rankings of this store, with their look-backs; not those that the params had before."""
    asked = {each.name for each in params.deciles} if params else None
    found: dict[str, list[str]] = {}
    if session.has_table(WINDOWS):
        for row in session.rows(f"SELECT name, lookback FROM {WINDOWS} ORDER BY name, lookback_order"):
            if asked is None or row["name"] in asked:
                found.setdefault(row["name"], []).append(row["lookback"])
    return found


def event_tables(params: Params | None = None) -> dict[str, str]:
    """The table of each dataset of events: of those that every workbook has, or of this one's."""
    if params is None:
        return {name: f"lake.{name}" for name in EVENT_DATASETS}
    return {name: event_table(params, name) for name in params.event_datasets}


def catalog_of(params: Params) -> Catalog:
    """The columns that a refresh of a workbook with these params makes, known before anything is built."""
    kinds: dict[str, ColumnType] = {PRIMARY_IDENTITY: "text", **_foreseen(params), **profile_columns(params)}
    kinds |= {name: attribute_kind(params, name) for name in params.attributes}
    profile = {name: Attribute(name, _kind(kind), "") for name, kind in kinds.items()}
    maps = {each.name: each.lookbacks for each in params.deciles}
    return Catalog(profile, {name: _kinds(event_columns(params, name)) for name in params.event_datasets}, maps)


def _foreseen(params: Params) -> dict[str, ColumnType]:
    """The columns of the customers' data, which there are whatever the params say."""
    return {name: column.type for name, column in (params.datasets["customers"] | params.contract("customers")).items()}


def _kind(kind: ColumnType) -> str:
    return "number" if kind == "decimal" else kind


def _kinds(columns: dict[str, ColumnContract]) -> dict[str, Attribute]:
    return {name: Attribute(name, _kind(column.type), "") for name, column in columns.items()}


def _looked_up(asked: dict[str, ColumnContract], words: Words) -> dict[str, Attribute]:
    """What lookups say of events, as `products.brand`."""
    columns = _kinds({name: each for name, each in asked.items() if "." in name})
    return {name: Attribute(name, each.kind, _about(name, words)) for name, each in columns.items()}


def names_of(audience: Audience) -> list[str]:
    """The audiences that one asks for."""
    return sorted({leaf.audience for _, leaf in walk(audience.whole) if isinstance(leaf, AudienceCondition)})


def _attributes(session: Session, name: str, words: Words) -> dict[str, Attribute]:
    kinds = {key: kind_of(kind) for key, kind in session.columns(table(name)).items() if not key.startswith("_")}
    return {key: Attribute(key, kind, _about(key, words)) for key, kind in kinds.items() if kind in OPERATORS_OF}


def _about(name: str, words: Words) -> str:
    if name.startswith("decile"):
        return f"Decile of {name.removeprefix('decile_').replace('_', ' ')}; 1 is the best"
    if name not in ABOUT:
        return name.replace("_", " ").replace(".", ": ").capitalize()
    return ABOUT[name].format(**words.model_dump())
