"""The columns of a dataset as JSON Schema, and as the schema documents that XDM uses.

The XDM form follows what Adobe's Schema Registry takes: a class, a field group for it, a schema that composes the
two, and identity descriptors. Tenant and ids are names of this workbook, to be replaced by one's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clv_helpers.config.attributes import about, attribute_kind
from clv_helpers.config.datasets import COSTS, PRIMARY_IDENTITY, ColumnContract
from clv_helpers.config.deciles import map_of
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
    if dataset in (*params.lookups, COSTS):
        base = f"urn:{workbook.name}:class:{dataset}"
        own_class = {"class": {"$id": base, "title": dataset, "type": "object", "allOf": [{"$ref": RECORD}]}}
    fields = {column.name: _property(column, xdm=True) for column in contract}
    required = [column.name for column in contract if column.required]
    enabled = [name for name, source in params.sources.items() if source.profile_enabled and name != COSTS]
    identities = sorted((c for c in contract if c.identity), key=lambda column: column.name != PRIMARY_IDENTITY)
    made = _documents(workbook, dataset, base, fields, required, {c.name: c.identity for c in identities},
                      enabled=dataset in enabled)  # fmt: skip
    made["descriptors"] += _lookup_descriptors(workbook, dataset)
    return {**own_class, **made}


def xdm_of_deciles(workbook: Workbook) -> dict[str, Any]:
    """The rows of derived.rank_map as XDM documents: per ranking an object of maps, category → place, as in the guide.

    Each map is of one look-back: `decileMonth3`, `decileDay90`, `decileMonthAll`.
    """
    fields: dict[str, Any] = {PRIMARY_IDENTITY: {"type": "string"}}
    for each in workbook.params.deciles:
        place = {"type": "integer", "minimum": 1, "maximum": each.ntile}
        of_category = {"type": "object", "additionalProperties": place, "meta:xdmType": "map"}
        maps = {map_of(lookback): of_category for lookback in each.lookbacks}
        fields[each.name] = {"type": "object", "properties": maps, "description": str(each.of)}
    namespace = workbook.params.sources["purchases"].namespace
    return _documents(
        workbook, "deciles", PROFILE_CLASS, fields, [PRIMARY_IDENTITY], {PRIMARY_IDENTITY: namespace}, True
    )


def xdm_of_attributes(workbook: Workbook) -> dict[str, Any]:
    """What `attributes` of the params say of a customer as XDM documents; each field says what it is made of."""
    params, said = workbook.params, {}
    for name in params.attributes:
        column = ColumnContract(name, name, attribute_kind(params, name))
        said[name] = {**_property(column, xdm=True), "description": about(params, name)}
    fields = {PRIMARY_IDENTITY: {"type": "string"}, **said}
    identity = {PRIMARY_IDENTITY: params.sources["purchases"].namespace}
    return _documents(workbook, "attributes", PROFILE_CLASS, fields, [PRIMARY_IDENTITY], identity, True)


def _documents(
    workbook: Workbook, what: str, base: str, fields: dict[str, Any], required: list[str], identities: dict[str, str],
    enabled: bool,
) -> dict[str, Any]:  # fmt: skip
    """A field group, the schema that composes it with a class, and the descriptors of its identities by column."""
    tenant, name = f"_{workbook.name}", f"{workbook.name} {what}".replace("_", " ")
    group_id, schema_id = f"urn:{workbook.name}:fieldgroup:{what}", _schema_id(workbook, what)
    return {
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
            "meta:immutableTags": [UNION_TAG] if enabled else [],
        },
        "descriptors": [
            {
                "@type": "xdm:descriptorIdentity",
                "xdm:sourceSchema": schema_id,
                "xdm:sourceVersion": 1,
                "xdm:sourceProperty": f"/{tenant}/{column}",
                "xdm:namespace": namespace,
                "xdm:property": "xdm:code",
                "xdm:isPrimary": column == PRIMARY_IDENTITY,
            }
            for column, namespace in identities.items()
        ],
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
    """Write both forms of every dataset, and of deciles and attributes of the params, into outputs/<workbook>/schemas.

    Gives the files.

    Example:
        >>> from clv_helpers import adobe
        >>> adobe.write_schemas(wb)[0].name
        'purchases.schema.json'
    """
    documents: dict[str, dict[str, Any]] = {}
    for dataset in workbook.params.sources:
        documents[f"{dataset}.schema"] = json_schema(workbook, dataset)
        documents[f"{dataset}.xdm"] = xdm_schema(workbook, dataset)
    if workbook.params.deciles:
        documents["derived.rank_map.xdm"] = xdm_of_deciles(workbook)
    if workbook.params.attributes:
        documents["profile.params_attribute.xdm"] = xdm_of_attributes(workbook)
    files = [workbook.folder / "schemas" / f"{name}.json" for name in documents]
    for file, document in zip(files, documents.values(), strict=True):
        write_atomically(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
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
