"""The columns of a dataset as JSON Schema, and as the schema documents that XDM uses.

The XDM form follows what Adobe's Schema Registry takes: a class, a field group for it, a schema that composes the
two, and identity descriptors. Tenant and ids are names of this workbook, to be replaced by one's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clv_helpers.config.datasets import ColumnContract
from clv_helpers.config.workbook import Workbook
from clv_helpers.files import write_atomically

XDM = "https://ns.adobe.com/xdm"
EVENT_CLASS, PROFILE_CLASS = f"{XDM}/context/experienceevent", f"{XDM}/context/profile"
RECORD = f"{XDM}/data/record"  # the behaviour of what is neither: a lookup has a class of its own
UNION_TAG = "union"  # the tag by which the registry marks a schema as enabled for the profile
# A day alone, or a moment with or without its offset: what the ingestion reads, wider than RFC 3339.
MOMENT = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
# Our types by JSON's names, where those differ.
TYPES = {"text": "string", "decimal": "number", "date": "string", "timestamp": "string"}


def json_schema(workbook: Workbook, dataset: str) -> dict[str, Any]:
    """One row of a dataset as JSON Schema (2020-12): types, what is required, enums, units in the descriptions.

    Example:
        >>> from clv_helpers import adobe
        >>> adobe.json_schema(wb, "purchases")["required"]
        ['customer_id', 'occurred_at']
    """
    contract = workbook.params.contract(dataset).values()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{workbook.name}: {dataset}",
        "type": "object",
        "properties": {column.name: _property(column, xdm=False) for column in contract},
        "required": [column.name for column in contract if column.required],
    }


def xdm_schema(workbook: Workbook, dataset: str) -> dict[str, Any]:
    """A dataset as XDM documents: `fieldGroup`, `schema` and `descriptors` (its identities, the primary one first).

    A lookup comes with its `class`, and with its key as identity; events that it joins refer to that.

    Example:
        >>> from clv_helpers import adobe
        >>> sorted(adobe.xdm_schema(wb, "customers"))
        ['descriptors', 'fieldGroup', 'schema']
    """
    contract = list(workbook.params.contract(dataset).values())
    params = workbook.params
    base = EVENT_CLASS if dataset in params.event_datasets else PROFILE_CLASS
    own_class = {}
    if dataset in params.lookups:
        base = f"urn:{workbook.name}:class:{dataset}"
        own_class = {"class": {"$id": base, "title": dataset, "type": "object", "allOf": [{"$ref": RECORD}]}}
    tenant, name = f"_{workbook.name}", f"{workbook.name} {dataset}".replace("_", " ")
    group_id, schema_id = f"urn:{workbook.name}:fieldgroup:{dataset}", _schema_id(workbook, dataset)
    fields = {column.name: _property(column, xdm=True) for column in contract}
    required = [column.name for column in contract if column.required]
    enabled = [name for name, source in params.sources.items() if source.profile_enabled]
    return {
        **own_class,
        "fieldGroup": {
            "$id": group_id,
            "title": name,
            "type": "object",
            "meta:intendedToExtend": [base],
            "definitions": {
                "fields": {
                    "properties": {tenant: {"type": "object", "properties": fields, "required": required}},
                }
            },
            "allOf": [{"$ref": "#/definitions/fields"}],
        },
        "schema": {
            "$id": schema_id,
            "title": name,
            "type": "object",
            "meta:class": base,
            "allOf": [{"$ref": base}, {"$ref": group_id}],
            "meta:immutableTags": [UNION_TAG] if dataset in enabled else [],
        },
        "descriptors": [
            {
                "@type": "xdm:descriptorIdentity",
                "xdm:sourceSchema": schema_id,
                "xdm:sourceVersion": 1,
                "xdm:sourceProperty": f"/{tenant}/{column.name}",
                "xdm:namespace": column.identity,
                "xdm:property": "xdm:code",
                "xdm:isPrimary": column.name == "customer_id",
            }
            for column in sorted(contract, key=lambda column: column.name != "customer_id")
            if column.identity
        ]
        + list(_lookup_descriptors(workbook, dataset)),
    }


def _lookup_descriptors(workbook: Workbook, dataset: str) -> Iterator[dict[str, Any]]:
    """Of a lookup that its key names a row; of events that it joins, that theirs refers to it."""
    lookups, contract = workbook.params.lookups, workbook.params.contract(dataset)
    joined = {dataset: lookups[dataset]} if dataset in lookups else {
        lookup: key for lookup, key in lookups.items() if key in contract
    }  # fmt: skip
    for lookup, key in joined.items():
        field = {
            "xdm:sourceSchema": _schema_id(workbook, dataset),
            "xdm:sourceVersion": 1,
            "xdm:sourceProperty": f"/_{workbook.name}/{key}",
        }
        if lookup == dataset:
            named = {"xdm:namespace": dataset, "xdm:property": "xdm:code", "xdm:isPrimary": True}
            yield {"@type": "xdm:descriptorIdentity", **field, **named}
            continue
        yield {"@type": "xdm:descriptorReferenceIdentity", **field, "xdm:identityNamespace": lookup}
        yield {
            "@type": "xdm:descriptorOneToOne",
            **field,
            "xdm:destinationSchema": _schema_id(workbook, lookup),
            "xdm:destinationVersion": 1,
            "xdm:destinationProperty": f"/_{workbook.name}/{key}",
        }


def _schema_id(workbook: Workbook, dataset: str) -> str:
    return f"urn:{workbook.name}:schema:{dataset}"


def write_schemas(workbook: Workbook) -> list[Path]:
    """Write both forms of every dataset into outputs/<workbook>/schemas; gives the files.

    Example:
        >>> from clv_helpers import adobe
        >>> adobe.write_schemas(wb)[0].name
        'purchases.schema.json'
    """
    files = []
    for dataset in workbook.params.sources:
        for kind, document in (("schema", json_schema(workbook, dataset)), ("xdm", xdm_schema(workbook, dataset))):
            file = workbook.folder / "schemas" / f"{dataset}.{kind}.json"
            write_atomically(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            files.append(file)
    return files


def _property(column: ColumnContract, xdm: bool) -> dict[str, Any]:
    """What one column may hold. XDM has no null, and writes a moment as RFC 3339 does."""
    kind, lacks = TYPES.get(column.type, column.type), not (xdm or column.required)
    schema: dict[str, Any] = {"type": [kind, "null"] if lacks else kind}
    if column.type == "date":
        schema["format"] = "date"
    elif column.type == "timestamp":
        schema |= {"format": "date-time"} if xdm else {"pattern": MOMENT}
    if column.enum:
        schema["enum"] = [*column.enum, None] if lacks else [*column.enum]
    origin = f"read from {column.header}" if column.header != column.name else ""
    description = ", ".join(filter(None, (origin, column.unit and f"in {column.unit}")))
    return {**schema, "description": description} if description else schema
