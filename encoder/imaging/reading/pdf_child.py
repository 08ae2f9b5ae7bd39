"""Draws the pages of a PDF on standard input as grey levels on standard output.

Runs as a program of its own; the module beside it starts it and knows what its exit codes mean.
"""

import resource
import struct
import sys

HEAD = struct.Struct(">III")  # Before each page's grey levels: width, height, whether more follow.
DAMAGED, LOCKED, EMPTY = 3, 4, 5
MAX_MEMORY = 2**30  # Address space, bytes; PDFium itself and the interpreter take a third.
MAX_CPU_SECONDS = 10
DPI, POINTS = 300, 72  # Dots an inch at most, and the units of a PDF an inch.


def main() -> int:
    """Draw, and return the exit code."""
    hold_to_limits()
    import pypdfium2  # noqa: PLC0415 - Its parent knows this module where the extra is missing.

    side, most = int(sys.argv[1]), int(sys.argv[2])
    try:
        document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
        count = len(document)
        for number in range(min(count, most)):
            _draw(document[number], side, more=number + 1 < count)
    except pypdfium2.PdfiumError as error:
        return LOCKED if "password" in str(error).lower() else DAMAGED
    except (ArithmeticError, ValueError):
        return DAMAGED
    return 0 if count else EMPTY


def hold_to_limits() -> None:
    """Bound what this process may take; nothing raises it again."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _draw(page: "pypdfium2.PdfPage", side: int, *, more: bool) -> None:  # type: ignore[name-defined] # noqa: F821
    scale = min(DPI / POINTS, side / max(page.get_size()))
    bitmap = page.render(scale=scale, grayscale=True)
    levels, out = memoryview(bitmap.buffer).cast("B"), sys.stdout.buffer
    width, height = min(bitmap.width, side), min(bitmap.height, side)  # Rounded up by one at most.
    out.write(HEAD.pack(width, height, more))
    for row in range(height):
        start = row * bitmap.stride
        out.write(levels[start : start + width])
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
