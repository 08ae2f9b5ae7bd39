"""What a gallery told is part of the rule that decides, and of its name."""

import copy
from dataclasses import replace

import pytest

from encoder.errors import UnusableRule
from encoder.scoring.blocks import Blocks
from encoder.scoring.calibrations import (
    Calibration,
    LogRatio,
    OperatingPoint,
    OwnBounds,
    OwnGallery,
    RandomTail,
)
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import ClaimWeights, Scoring

POINTS = {"strict": OperatingPoint(2.0, -1.0), "usual": OperatingPoint(1.0, -0.5)}
RATIO = LogRatio(((1.0, 0.0),), 2.0)
TAIL = RandomTail(3.0, 0.1, 0.5, 0.01, 100)
RULE = DecisionRule(
    Scoring((ClaimWeights(1, (1.0, 0.0), 0.0, (0.0, 0.0)),), local=False, blocks=Blocks()),
    tuple(Calibration(references, RATIO, RATIO, POINTS, TAIL) for references in (1, 3, 5)),
    "usual",
)
GALLERY = OwnGallery(
    RandomTail(-2.0, 0.1, 0.3, 0.01, 50),
    (OwnBounds(1, {"usual": 0.25}), OwnBounds(3, {"usual": 0.5, "strict": 0.75})),
)
OWN = replace(RULE, gallery=GALLERY)


def test_a_gallery_sets_the_threshold_of_identification_for_any_number_of_references():
    for references in (1, 5, 20):
        found = OWN.identification_threshold(80, references)
        assert found == GALLERY.tail.threshold(80) != RULE.identification_threshold(80, references)


@pytest.mark.parametrize(
    ("references", "usual", "strict"),
    [(1, 0.25, -1.0), (2, 0.25, -1.0), (3, 0.5, 0.75), (9, 0.5, 0.75)],
)
def test_a_gallery_sets_the_bounds_that_it_told_and_no_match(references, usual, strict):
    points = OWN.calibration_for(references).points
    assert points == {"strict": OperatingPoint(2.0, strict), "usual": OperatingPoint(1.0, usual)}
    assert RULE.calibration_for(references).points == POINTS


def test_no_bound_lies_above_its_match():
    high = replace(GALLERY, bounds=(OwnBounds(1, {"usual": 7.0}),))
    assert replace(RULE, gallery=high).calibration_for(1).points["usual"] == OperatingPoint(
        1.0, 1.0
    )


def test_a_rule_goes_by_another_name_with_each_number_that_a_gallery_told():
    others = [
        GALLERY,
        replace(GALLERY, tail=replace(GALLERY.tail, start=-2.5)),
        replace(GALLERY, tail=replace(GALLERY.tail, share=0.2)),
        replace(GALLERY, tail=replace(GALLERY.tail, scale=0.4)),
        replace(GALLERY, tail=replace(GALLERY.tail, fpir=0.02)),
        replace(GALLERY, tail=replace(GALLERY.tail, gallery_size=51)),
        replace(GALLERY, bounds=GALLERY.bounds[:1]),
        replace(GALLERY, bounds=(replace(GALLERY.bounds[0], references=2), GALLERY.bounds[1])),
        replace(GALLERY, bounds=(OwnBounds(1, {"usual": 0.26}), GALLERY.bounds[1])),
        replace(GALLERY, bounds=(OwnBounds(1, {"strict": 0.25}), GALLERY.bounds[1])),
    ]
    names = {RULE.rule_id, *(replace(RULE, gallery=one).rule_id for one in others)}
    assert len(names) == 1 + len(others)


def test_a_rule_without_one_goes_by_the_name_from_before_there_were_any():
    assert RULE.rule_id == "58461d18fa36"
    assert replace(OWN, gallery=None).rule_id == RULE.rule_id


def test_a_manifest_holds_nothing_of_a_gallery():
    assert OWN.as_dict() == RULE.as_dict()


def test_what_a_gallery_told_is_read_as_it_was_written():
    assert OwnGallery.from_dict(GALLERY.as_dict()) == GALLERY
    backwards = GALLERY.as_dict() | {"bounds": GALLERY.as_dict()["bounds"][::-1]}
    assert OwnGallery.from_dict(backwards) == GALLERY


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("tail",), None),
        (("bounds",), None),
        (("bounds", 0, "non_match"), [1]),
        (("bounds", 0, "non_match", "usual"), float("nan")),
        (("bounds", 0, "references"), "many"),
        (("tail", "scale"), 0.0),
        (("tail", "scale"), float("inf")),
        (("tail", "start"), float("nan")),
        (("tail", "start"), "high"),
        (("tail", "share"), 1.5),
        (("tail", "fpir"), 0.0),
        (("tail", "gallery_size"), 0),
        (("tail", "surplus"), 1),
    ],
)
def test_what_cannot_have_been_written_is_refused(path, value):
    data = copy.deepcopy(GALLERY.as_dict())
    part = data
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    with pytest.raises(UnusableRule, match="gallery's calibration"):
        OwnGallery.from_dict(data)
