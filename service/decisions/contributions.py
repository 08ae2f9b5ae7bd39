"""What a score is made of, in words."""

from typing import Any

from encoder.scoring.decision_rule import Comparison

MEANINGS = {
    "layout": "where on the signature its strokes run",
    "texture": "the directions of strokes and which follow on which",
    "strokes": "the shapes of small pieces of strokes, wherever they are",
    "local": "whether each piece of stroke has its counterpart in the references",
    "bend": "how far parts had to be moved to lie on the references",
    "rough": "how unevenly pieces had to be moved",
    "richness": "how much there is to the references: more strokes are harder to imitate",
    "whole": "the signature on the whole",
}


def contributions(comparison: Comparison) -> list[dict[str, Any]]:
    """What each thing compared adds to the score, ready for JSON, the lowest first."""
    found = sorted(comparison.contributions.items(), key=lambda pair: pair[1])
    return [
        {"part": part, "points": round(points, 4), "meaning": MEANINGS[part]}
        for part, points in found
    ]
