"""Says which option chooses a part of an image, where it shows more than one signature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.errors import Refusal

Boxes = Sequence[Mapping[str, int | str]]


def choices(boxes: Boxes, option: str = "--region") -> str:
    """The option for each of the boxes: `--region 8,9,300,80 or --region 8,120,310,90`."""
    regions = (",".join(str(box[side]) for side in "xywh") for box in boxes)
    return " or ".join(f"{option} {region}" for region in regions)


def advice(refused: Sequence[Refusal], images: int, option: str = "--region") -> Iterator[str]:
    """Say for each refused image with boxes which option to give, where `images` were given."""
    found = [one for one in refused if one.boxes]
    for one in found:
        yield f"To choose from {one.filename or 'the image'}, add {choices(one.boxes, option)}."
    if found and images > 1:
        yield (
            f"With {images} images, give {option} {images} times, in their order: "
            f"{option} all looks at all of one."
        )
