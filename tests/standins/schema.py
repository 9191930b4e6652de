"""The part of JSON Schema that the providers' published documents use for what we post."""

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}
EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
URI = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?(/\S*)?")
FORMATS = {"email": EMAIL, "uri": URI}


def violations(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (field, message) for everything in ``value`` that ``schema`` does not allow."""
    kind = schema["type"]
    is_flag = isinstance(value, bool)
    if not isinstance(value, TYPES[kind]) or (is_flag and kind != "boolean"):
        yield path, f"Invalid type. Expected: {kind}, given: {type(value).__name__}."
    elif kind == "object":
        yield from _object_violations(value, schema, path)
    elif kind == "array":
        yield from _array_violations(value, schema, path)
    elif kind == "string":
        yield from _string_violations(value, schema, path)


def _object_violations(value: dict, schema: dict, path: str) -> Iterator[tuple[str, str]]:
    prefix = f"{path}." if path else ""
    for name in schema.get("required", ()):
        if name not in value:
            yield prefix + name, f"The {name} field is required."
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", False)
    for name, part in value.items():
        if name in properties:
            yield from violations(part, properties[name], prefix + name)
        elif others:
            yield from violations(part, others, prefix + name)
        else:
            yield prefix + name, f"Additional property {name} is not allowed"


def _array_violations(value: list, schema: dict, path: str) -> Iterator[tuple[str, str]]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield path, f"The {path} array has {len(value)} items, which is out of its limits."
    for position, item in enumerate(value):
        yield from violations(item, schema["items"], f"{path}.{position}")


def _string_violations(value: str, schema: dict, path: str) -> Iterator[tuple[str, str]]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield path, f"The {path} text has {len(value)} characters, which is out of its limits."
    if "enum" in schema and value not in schema["enum"]:
        yield path, f"The {path} must be one of {', '.join(schema['enum'])}."
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield path, f"The {path} does not have the right form."
    if "format" in schema and not FORMATS[schema["format"]].fullmatch(value):
        yield path, f"Does not contain a valid {schema['format']}."
