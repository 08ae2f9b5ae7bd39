"""Says which fields an answer always has, and shows a whole one, made of its fields' examples."""

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]

# Metadata of a field that only some answers have: all others are always there.
SOMETIMES: Spec = {"x-sometimes": True}
_SOMETIMES = next(iter(SOMETIMES))
_PREFIX = "#/components/schemas/"
_JSON = "application/json"


def require_answers_fields(spec: Spec) -> None:
    """Draw every field of an answer as required, but for those that some answers lack."""
    schemas = spec["components"]["schemas"]
    for name in _answers(spec):
        fields = schemas[name].get("properties", {})
        always = [field for field, drawn in fields.items() if not drawn.get(_SOMETIMES)]
        if always:
            schemas[name]["required"] = sorted(always)
    for schema in schemas.values():
        for drawn in schema.get("properties", {}).values():
            drawn.pop(_SOMETIMES, None)


def show_examples(spec: Spec) -> None:
    """Give every JSON body, asked or answered, an example that has all of its fields."""
    for content in _contents(spec):
        if _JSON in content:
            content[_JSON]["example"] = example_of(content[_JSON]["schema"], spec)


def example_of(schema: Spec, spec: Spec) -> Any:
    """Return an example of a schema: its own, or one made of those of its parts.

    Raises:
        KeyError: a field without parts has no example.
    """
    if "$ref" in schema:
        found = spec["components"]["schemas"][schema["$ref"].removeprefix(_PREFIX)]
        return example_of(found, spec)
    for given in ("example", "default"):
        if given in schema:
            return schema[given]
    for several in ("allOf", "anyOf"):
        if several in schema:
            return example_of(schema[several][0], spec)
    if "items" in schema:
        return [example_of(schema["items"], spec)]
    return {name: example_of(part, spec) for name, part in schema["properties"].items()}


def _answers(spec: Spec) -> set[str]:
    """Return the names of all schemas that answers are made of."""
    found: set[str] = set()
    waiting = [
        name
        for operations in spec["paths"].values()
        for operation in operations.values()
        for name in _references(operation["responses"])
    ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(spec["components"]["schemas"][name])
    return found


def _references(drawn: object) -> Iterator[str]:
    """Give the names of the schemas that a part of the document refers to."""
    if isinstance(drawn, list):
        for one in drawn:
            yield from _references(one)
    elif isinstance(drawn, dict):
        target = drawn.get("$ref")
        if isinstance(target, str) and target.startswith(_PREFIX):
            yield target.removeprefix(_PREFIX)
        for one in drawn.values():
            yield from _references(one)


def _contents(spec: Spec) -> Iterator[Spec]:
    """Give what every body may be, by its media types."""
    for operations in spec["paths"].values():
        for operation in operations.values():
            yield operation.get("requestBody", {}).get("content", {})
            for response in operation["responses"].values():
                yield response.get("content", {})
