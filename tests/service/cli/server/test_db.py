"""A registry whose schema is missing is refused, and `countersign db` makes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

Scan = Callable[[int, int], Path]
Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


def test_a_registry_without_schema_names_the_command_that_helps(
    run: Run, answer: Answer, scan: Scan
) -> None:
    result = run("verify", "C-1", scan(1, 0))
    assert result.exit_code == 2
    assert "countersign db upgrade" in result.stderr
    assert answer("db", "current")[0] == 1
    assert "countersign db upgrade" in run("db", "current").stdout
    code, said = answer("db", "upgrade")
    assert (code, said["from"]) == (0, None)
    assert answer("db", "current") == (
        0,
        {"current": said["to"], "expected": said["to"], "up_to_date": True},
    )
