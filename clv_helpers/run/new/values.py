"""Values that mean what ours mean and are written otherwise: `Open` for opened, `ja` for true."""

from __future__ import annotations

import re

from clv_helpers.config.datasets import EMAIL_EVENT_TYPES
from clv_helpers.run.new import expressions, words
from clv_helpers.run.new.guess import Reading
from clv_helpers.run.new.sample import Sample

TRUTHS = {"true", "false", "t", "f", "1", "0", "yes", "no", "y", "n"}
YES = ("yes", "true", "1", "ja", "oui", "si", "sí", "on", "subscribed", "opted in", "opt-in", "active", "granted", "x")


def translated(sample: Sample, reading: Reading) -> dict[str, dict[str, str]]:
    """Columns whose values are ours under other names, as expressions: kinds of mail events, consent, message ids."""
    found: dict[str, dict[str, str]] = {}
    events, consent = reading.headers.get("event_type"), reading.headers.get("email_consent")
    if reading.dataset == "email_events" and events:
        kinds = _kinds(sample, events)
        if any(value != kind for value, kind in kinds.items()):
            found["event_type"] = {"sql": expressions.renamed(events, kinds)}
        if "message_id" not in reading.headers:
            parts = [reading.headers["campaign"], reading.headers["customer_id"]]
            found["message_id"] = {"sql": expressions.together(parts)}
    if consent and not {value.lower() for value in sample.frequent(consent)} <= TRUTHS:
        found["email_consent"] = {"sql": expressions.folded_one_of(consent, [*YES])}
    return found


def other_events(sample: Sample, reading: Reading) -> dict[str, str]:
    """Events that say nothing of a message, to be left out by name."""
    if reading.dataset != "email_events":
        return {}
    known, held = _kinds(sample, reading.headers["event_type"]), sample.frequent(reading.headers["event_type"])
    rule = expressions.one_of(reading.headers["event_type"], list(known), negated=True)
    return {"other events": rule} if set(held) - set(known) else {}


def _kinds(sample: Sample, header: str) -> dict[str, str]:
    """Which of our kinds of events each value of a header is."""
    found = {}
    for value in sample.frequent(header):
        kind = next((k for k in EMAIL_EVENT_TYPES if re.fullmatch(words.EVENTS[k], words.plain(value))), "")
        if kind:
            found[value] = kind
    return found
