"""Says what is installed with this version, and under which licences: a bill of materials.

The form is CycloneDX 1.6, which scanners for vulnerabilities and licences read.
"""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from typing import Any
from uuid import uuid4

from service.version import VERSION

LONGEST_NAME = 100  # Some packages write their licence's whole text where its name belongs.
_CLASSIFIER = "License :: "


@dataclass(frozen=True)
class Component:
    """A Python package; `licence` is an SPDX expression or a name, None where it tells none."""

    name: str
    version: str
    licence: str | None
    is_expression: bool = False

    @property
    def purl(self) -> str:
        """The package's address in an index, as scanners compare it."""
        return f"pkg:pypi/{re.sub('[-_.]+', '-', self.name).lower()}@{self.version}"

    def as_dict(self) -> dict[str, str | None]:
        """What people want to know of it, ready for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "is_expression"}


def installed() -> list[Component]:
    """Return every package of this environment, by name."""
    found = {one.purl: one for one in map(_component, distributions())}
    return sorted(found.values(), key=lambda one: one.purl)


def bill_of_materials(components: list[Component]) -> dict[str, Any]:
    """Return a CycloneDX document of Countersign, made of these components."""
    own = [one for one in components if one.name == "countersign"]
    itself = own[0] if own else Component("countersign", VERSION, "Apache-2.0", True)
    used = [one for one in components if one != itself]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": _described("application", itself),
        },
        "components": [_described("library", one) for one in used],
    }


def _described(kind: str, component: Component) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": kind,
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
    }
    if component.licence is not None and component.is_expression:
        told["licenses"] = [{"expression": component.licence}]
    elif component.licence is not None:
        told["licenses"] = [{"license": {"name": component.licence}}]
    return told


def _component(found: Distribution) -> Component:
    told: Any = found.metadata  # A message, whatever its type promises.
    expression = told.get("License-Expression")
    if expression:
        return Component(told["Name"], found.version, expression, True)
    return Component(told["Name"], found.version, _named(told))


def _named(told: Any) -> str | None:
    """The licence of a package that gives no expression: by its field, or by its classifiers."""
    field = (told.get("License") or "").strip()
    if field and "\n" not in field and len(field) <= LONGEST_NAME and field != "UNKNOWN":
        return str(field)
    classifiers = [
        one.rsplit(" :: ", 1)[-1]
        for one in told.get_all("Classifier") or []
        if one.startswith(_CLASSIFIER) and one != "License :: OSI Approved"
    ]
    return ", ".join(classifiers) or None
