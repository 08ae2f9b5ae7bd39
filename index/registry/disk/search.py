"""Has another process look for traces of erasures in files; `__main__` says why another."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from index.registry.disk.traces import Found


def search_files(
    packed: Sequence[tuple[int, bytes]], paths: Sequence[Path], *, gently: bool
) -> list[Found]:
    """Return what is found of these traces, ids of erasures with what `TraceMaker` packed.

    A file that is not there holds nothing. `gently` leaves disk and cores to others.

    Raises:
        OSError: a file cannot be read.
    """
    asked = {
        "traces": [(number, content.hex()) for number, content in packed],
        "paths": [str(path.absolute()) for path in paths],
        "gently": gently,
    }
    done = subprocess.run(
        [sys.executable, "-m", "index.registry.disk"],  # noqa: S607, RUF100  # This very program.
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise OSError(f"The files of the registry could not be searched: {last}")
    found = (json.loads(line) for line in done.stdout.splitlines())
    return [Found(number, Path(path), bytes.fromhex(content)) for number, path, content in found]
