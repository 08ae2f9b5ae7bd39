"""What is installed, for people and for scanners; and what a shell needs to complete commands."""

import json
import os
import re
import subprocess
import sys
from email.message import Message
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from service.observability.components import (
    Component,
    _component,
    bill_of_materials,
    installed,
)
from service.version import VERSION

ROOT = Path(__file__).parents[4]


def test_every_package_is_listed_once_with_its_version(answer):
    code, told = answer("version")
    assert code == 0
    assert told["version"] == VERSION
    listed = {one["name"]: one["version"] for one in told["packages"]}
    assert len(listed) == len(told["packages"])
    for name in ("click", "numpy", "SQLAlchemy", "structlog", "cryptography"):
        assert listed[name] == version(name)
    assert {one.metadata["Name"] for one in distributions()} == set(listed)


def test_what_serving_needs_has_a_licence_of_a_kind_that_is_known():
    """Every dependency that pyproject.toml names for serving, by name."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"\ndependencies = \[(.*?)\n\]", text, re.DOTALL)
    wanted = {name.lower() for name in re.findall(r'^  "([\w-]+)', block[1], re.MULTILINE)}
    found = {one.name.lower().replace("_", "-"): one.licence for one in installed()}
    assert len(wanted) > 10
    for name in wanted:
        assert re.search(r"MIT|BSD|Apache|PSF", found[name] or ""), (name, found[name])


def test_people_see_it_too(run):
    result = run("version")
    assert result.exit_code == 0
    assert f"Countersign {VERSION}" in result.stdout
    assert "numpy" in result.stdout


@pytest.mark.parametrize("to_file", [True, False])
def test_the_bill_of_materials_is_cyclonedx(run, tmp_path, to_file):
    file = tmp_path / "bill.json"
    result = run("version", "--sbom", file if to_file else "-")
    assert result.exit_code == 0
    bill = json.loads(file.read_text() if to_file else result.stdout)
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        bill["serialNumber"],
    )
    itself = bill["metadata"]["component"]
    assert (itself["type"], itself["name"], itself["version"]) == (
        "application",
        "countersign",
        VERSION,
    )
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(set(references)) == len(references) > 20
    assert itself["bom-ref"] not in references
    for one in bill["components"]:
        assert one["type"] == "library"
        assert re.fullmatch(r"pkg:pypi/[a-z0-9]+(-[a-z0-9]+)*@\S+", one["purl"])
        for licence in one.get("licenses", []):
            assert licence.keys() in ({"expression"}, {"license"})


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ([("License-Expression", "MIT OR Apache-2.0"), ("License", "x")], "MIT OR Apache-2.0"),
        ([("License", "BSD-3-Clause")], "BSD-3-Clause"),
        (
            [("License", "UNKNOWN"), ("Classifier", "License :: OSI Approved :: MIT License")],
            "MIT License",
        ),
        (
            [("License", "x\ny"), ("Classifier", "License :: OSI Approved :: BSD License")],
            "BSD License",
        ),
        ([("License", "x" * 500)], None),
        ([("Classifier", "License :: OSI Approved"), ("Classifier", "Topic :: x")], None),
        ([], None),
    ],
)
def test_licences_are_read_however_a_package_tells_them(headers, licence):
    class Told:
        version = "1.0"
        metadata = Message()

    Told.metadata = Message()
    for name, value in [("Name", "Some_Package.x"), *headers]:
        Told.metadata[name] = value
    found = _component(Told())
    assert found.licence == licence
    assert found.purl == "pkg:pypi/some-package-x@1.0"
    described = bill_of_materials([found])["components"][0]
    if headers and headers[0][0] == "License-Expression":
        assert described["licenses"] == [{"expression": licence}]
    else:
        named = [{"license": {"name": licence}}]
        assert described.get("licenses") == (named if licence else None)


def test_a_checkout_that_was_never_installed_is_described_too():
    bill = bill_of_materials([Component("click", "8.1", "BSD-3-Clause")])
    assert bill["metadata"]["component"]["name"] == "countersign"
    assert [one["name"] for one in bill["components"]] == ["click"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_COUNTERSIGN_COMPLETE={shell}_complete" in result.stdout


def test_another_shell_is_refused_with_those_there_are(run):
    result = run("completion", "tcsh")
    assert result.exit_code == 2
    assert "bash" in result.stderr


def test_bash_completes_by_it(tmp_path):
    """The program is one that calls this module, as the installed one does."""
    program = tmp_path / "countersign"
    program.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c "
        '\'from service.cli import main; main(prog_name="countersign")\' "$@"\n'
    )
    program.chmod(0o755)
    script = (
        'eval "$(countersign completion bash)"; COMP_WORDS=(countersign db up); COMP_CWORD=2; '
        '_countersign_completion countersign; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "upgrade"
