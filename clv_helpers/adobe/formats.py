"""The platform's formats of an audience's rule, as the audiences find them by the entry point rule_formats."""

from __future__ import annotations

import json

from clv_helpers.adobe.pql import to_definition, to_json, to_text
from clv_helpers.audiences.formats import Format
from clv_helpers.audiences.rule import Audience


def _definition(name: str, audience: Audience, tenant: str) -> str:
    return json.dumps(to_definition(name, audience, tenant=tenant), indent=2, ensure_ascii=False)


FORMATS: dict[str, Format] = {
    "pql": lambda _name, audience, tenant: to_text(audience, tenant),
    "pql-json": lambda _name, audience, tenant: to_json(audience, tenant),
    "definition": _definition,
}
