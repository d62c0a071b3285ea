"""What speaks the platform's languages: XDM documents, PQL, and its limits."""

from clv_helpers.adobe.xdm import json_schema, write_schemas, xdm_schema

__all__ = ["json_schema", "write_schemas", "xdm_schema"]
