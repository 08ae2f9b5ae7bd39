"""What may name a writer: one form for the registry, the API and the command line."""

import re
import subprocess
import sys

import pytest

from index.registry.identifiers import WRITER_ID_PATTERN, is_clean_text, is_writer_id


@pytest.mark.parametrize("text", ["a", "C-1001", "a.b_c:d@e-f", "0" * 64])
def test_ids(text: str) -> None:
    assert is_writer_id(text)
    assert re.search(WRITER_ID_PATTERN, text)


@pytest.mark.parametrize("text", ["", "-a", ".", "a b", "a/b", "a\n", "é", "0" * 65])
def test_no_ids(text: str) -> None:
    assert not is_writer_id(text)


def test_names_keep_what_their_scripts_need() -> None:
    assert is_clean_text("Zo\N{ZERO WIDTH NON-JOINER}e, née \N{GREEK SMALL LETTER OMEGA}")
    assert not is_clean_text("a\x00b")
    assert not is_clean_text("a\ud800")


def test_checking_an_id_loads_nothing_heavy() -> None:
    code = (
        "import sys, index.registry.identifiers, service.cli.arguments, service.transfer.importing;"
        "print([m for m in ('apiflask', 'flask') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
