"""Has schemathesis send invented signatures as files, among others, by `SCHEMATHESIS_HOOKS`."""

from typing import Any

import schemathesis
from hypothesis import strategies

from encoder.synthesis import encode_png, synthetic_writer

SCANS = [encode_png(synthetic_writer(seed).genuine(n)) for seed in (1, 2) for n in range(3)]

schemathesis.openapi.format(
    "binary",
    strategies.one_of(
        strategies.sampled_from(SCANS),
        strategies.sampled_from(SCANS).map(lambda scan: scan[: len(scan) // 2]),
        strategies.binary(max_size=200),
    ),
)


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> bool:
    """Leave out forms that break the schema in ways that do not survive the wire.

    A null arrives as the text "null", and a list of one, or of none, as one field, or none.
    """
    form = case.body if case.media_type == "multipart/form-data" else None
    return not (isinstance(form, dict) and any(map(_is_lost, form.values())))


def _is_lost(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) < 2 and not _holds_file(value))


def _holds_file(values: list[object]) -> bool:
    return any(isinstance(value, bytes) for value in values)
