"""The platform's formats of an audience's rule, as the audiences find them by the entry point rule_formats."""

from __future__ import annotations

import json

from clv_helpers.adobe import pql
from clv_helpers.audiences.formats import Format
from clv_helpers.audiences.rule import Audience


def _pql(_name: str, audience: Audience, tenant: str) -> str:
    return pql.to_text(audience, tenant)


def _pql_json(_name: str, audience: Audience, tenant: str) -> str:
    return pql.to_json(audience, tenant)


def _definition(name: str, audience: Audience, tenant: str) -> str:
    return json.dumps(pql.to_definition(name, audience, tenant=tenant), indent=2, ensure_ascii=False)


FORMATS: dict[str, Format] = {"pql": _pql, "pql-json": _pql_json, "definition": _definition}
