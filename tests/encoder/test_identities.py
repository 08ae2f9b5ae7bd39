"""Names and draws that were written down before: later versions must come to the same."""

from dataclasses import fields, is_dataclass, replace

import numpy as np

from encoder.datasets.splits import Holdout, split_writers
from encoder.scoring.blocks import Blocks
from encoder.scoring.calibrations import Calibration, LogRatio, OperatingPoint, RandomTail
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import ClaimWeights, Scoring

POINTS = {"fmr_skilled=5%": OperatingPoint(0.3, 0.2), "fmr_skilled=1%": OperatingPoint(0.4, 0.2)}
MORE_POINTS = {
    "fmr_skilled=5%": OperatingPoint(0.25, 0.15),
    "fmr_skilled=1%": OperatingPoint(0.35, 0.15),
}
RULE = DecisionRule(
    scoring=Scoring(
        (
            ClaimWeights(1, (9.5, 0.0), -7.25, (0.75, 0.0)),
            ClaimWeights(5, (10.5, -2.5), -6.125, (0.875, 0.625)),
        ),
        local=False,
    ),
    calibrations=(
        Calibration(
            references=1,
            skilled=LogRatio(((9.5, -3.0), (8.5, -2.0)), 2.0),
            random=LogRatio(((12.0, -2.5), (11.0, -1.5)), 4.0),
            points=POINTS,
            random_tail=RandomTail(0.1, 0.05, 0.03, 0.01, 50),
        ),
        Calibration(
            references=5,
            skilled=LogRatio(((10.5, -3.5),), 2.0),
            random=LogRatio(((13.0, -2.0),), 4.0),
            points=MORE_POINTS,
            random_tail=RandomTail(0.05, 0.05, 0.02, 0.01, 50),
        ),
    ),
    default_operating_point="fmr_skilled=5%",
)

SPLIT = {
    "train": [
        *("cedar-1", "cedar-2", "w002_n01", "w002_n02", "w003_n01", "w003_n02"),
        *("w007_n01", "w007_n02", "w008_n01", "w008_n02"),
    ],
    "development": ["w001_n01", "w001_n02", "w006_n01", "w006_n02"],
    "test": ["w004_n01", "w004_n02", "w005_n01", "w005_n02"],
}


def test_rules_go_by_the_names_that_they_were_given_before():
    assert RULE.rule_id == "5fc1e659b272"


def test_a_rule_read_from_a_manifest_goes_by_the_same_name():
    assert DecisionRule.from_dict(RULE.as_dict(), Blocks()).rule_id == RULE.rule_id


def test_the_blocks_belong_to_the_network_and_not_to_a_rules_name():
    turned = Blocks(("layout",), (2,), np.eye(2, dtype=np.float32))
    scoring = replace(RULE.scoring, blocks=turned)
    assert replace(RULE, scoring=scoring).rule_id == RULE.rule_id


def test_every_field_of_a_rule_is_part_of_its_name():
    """A field that was added shows here: is it part of the name, and what do older rules say?"""
    changed = list(each_changed(RULE))
    assert len(changed) > 30
    unseen = [where for where, rule in changed if rule.rule_id == RULE.rule_id]
    assert unseen == []
    assert len({rule.rule_id for _, rule in changed}) == len(changed)


def each_changed(part, where="rule"):
    """The part with each of its values changed in turn, and where that is."""
    values = values_of(part)
    if values is None:
        yield where, (0.5,) if part is None else part + ("!" if isinstance(part, str) else 1)
        return
    for name, value, with_other in values:
        for place, other in each_changed(value, f"{where}{name}"):
            yield place, with_other(other)


def values_of(part):
    """What a part is made of: names, values, and how it comes to another one; None if it is one."""
    if is_dataclass(part):
        names = [field.name for field in fields(part) if field.compare]
        return [(f".{n}", getattr(part, n), lambda o, n=n: replace(part, **{n: o})) for n in names]
    if isinstance(part, dict):
        return [(f"[{n!r}]", v, lambda o, n=n: {**part, n: o}) for n, v in part.items()]
    if isinstance(part, tuple):
        numbered = enumerate(part)
        return [(f"[{n}]", v, lambda o, n=n: (*part[:n], o, *part[n + 1 :])) for n, v in numbered]
    return None


def test_a_split_is_the_same_in_every_version():
    """Else a model would be measured on writers that it was trained with."""
    writers = [f"w{n:03}_n{m:02}" for n in range(1, 9) for m in (1, 2)] + ["cedar-1", "cedar-2"]
    split = split_writers(writers, 0.25, Holdout(2, 5), seed=7)
    assert split == SPLIT
