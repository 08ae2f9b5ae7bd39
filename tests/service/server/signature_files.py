"""Has schemathesis send invented signatures as files, among others, by `SCHEMATHESIS_HOOKS`."""

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
