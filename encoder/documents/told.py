"""Puts what was found on a page into words: what is refused, what is warned of, with its boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from encoder.cautions import Caution
from encoder.documents.find import Found, Part
from encoder.errors import FailureToAcquire

AS_LARGE = 1.0  # Area of print or a stamp over the signature's, from which it is told.
# Paper around the ink of a box of handwriting: as a region it is then not cut off at its edges.
PAPER_PX = 8


@dataclass(frozen=True)
class Place:
    """Where the page that was looked at lies in the upright image.

    Attributes:
        x, y: column and row of its upper left corner in the image, px.
        across, down: pixels of the image to one of the page.
        chosen: whether the caller named it; what stands in it is then refused no more.
    """

    x: int = 0
    y: int = 0
    across: float = 1.0
    down: float = 1.0
    chosen: bool = False

    def boxes(self, parts: Sequence[Part]) -> list[dict[str, int | str]]:
        """Parts of the page as boxes in the image."""
        return [self._box(part) for part in parts]

    def _box(self, part: Part) -> dict[str, int | str]:
        left, top, width, height = part.box
        return {
            "x": self.x + round(left * self.across),
            "y": self.y + round(top * self.down),
            "w": round(width * self.across),
            "h": round(height * self.down),
            "what": part.what,
        }


def cautions(found: Found, signature_area: int, place: Place) -> tuple[Caution, ...]:
    """What an answer has to say of a page.

    Args:
        found: what its marks are.
        signature_area: of the box of the signature's ink, px of the page.
        place: where it lies in the image.

    Raises:
        FailureToAcquire: `several-signatures` or `writing-beside`, with the boxes.
    """
    told = []
    if found.others:
        code, sentence = _others(found)
        boxes = place.boxes(_with_paper(found.others, found.kept.shape))
        if found.sure and not place.chosen:
            raise FailureToAcquire(
                code,
                f"{sentence}: {_listed(boxes)}. Crop the image to one signature, or name the part "
                "to look at as its region, x,y,w,h.",
                boxes,
            )
        told.append(
            Caution(
                code,
                f"{sentence if found.sure else sentence + ', it seems'}: {_listed(boxes)}. All of "
                "it was compared as one signature; name the part to look at as its region, "
                "x,y,w,h.",
            )
        )
    large = [
        part
        for part in found.left_out
        if part.what in {"print", "stamp"}
        and part.box[2] * part.box[3] >= AS_LARGE * signature_area
    ]
    if found.crossed:
        told.append(
            Caution(
                "left-out",
                "Print or a stamp lies over the signature and was left out; strokes may have gone "
                "with it. Look at what was kept.",
            )
        )
    elif large:
        told.append(
            Caution(
                "left-out",
                f"What was taken for print was left out: {_listed(place.boxes(large))}. Look at "
                "what was kept.",
            )
        )
    return tuple(told)


def _with_paper(parts: Sequence[Part], page_size: tuple[int, ...]) -> list[Part]:
    """Parts with paper around them, as far as the page goes and half way to the others at most."""
    height, width = page_size
    roomy = []
    for part in parts:
        others = [other.box for other in parts if other is not part]
        left, right = _room(part.box, others, axis=0, end=width)
        top, bottom = _room(part.box, others, axis=1, end=height)
        x, y, w, h = part.box
        roomy.append(replace(part, box=(x - left, y - top, w + left + right, h + top + bottom)))
    return roomy


def _room(
    box: tuple[int, int, int, int],
    others: Sequence[tuple[int, int, int, int]],
    *,
    axis: int,
    end: int,
) -> tuple[int, int]:
    """Pixels of paper to take before and after a box along an axis of a page that ends at `end`."""
    start, stop = box[axis], box[axis] + box[axis + 2]
    before = [start - other[axis] - other[axis + 2] for other in others]
    after = [other[axis] - stop for other in others]
    return (
        min(PAPER_PX, start, *(gap // 2 for gap in before if gap >= 0)),
        min(PAPER_PX, end - stop, *(gap // 2 for gap in after if gap >= 0)),
    )


def _others(found: Found) -> tuple[str, str]:
    if all(part.what == "signature" for part in found.others):
        return "several-signatures", "There are two signatures in the image"
    return "writing-beside", "There is other handwriting beside the signature, such as a date"


def _listed(boxes: Sequence[dict[str, int | str]]) -> str:
    """Boxes in words: what, and as a region has it."""
    return "; ".join(
        f"{box['what']} at {box['x']},{box['y']},{box['w']},{box['h']}" for box in boxes
    )
