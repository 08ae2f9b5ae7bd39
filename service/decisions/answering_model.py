"""Which model an answer is of, and by which rule it decided."""

from dataclasses import dataclass
from typing import Self

from encoder.inference.encoder import Encoder


@dataclass(frozen=True)
class AnsweringModel:
    """A model's name and id, and the id of the rule that it decided by.

    Calibrating a model changes its rule and not its id.
    """

    name: str
    model_id: str
    rule_id: str

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        """The model that this encoder runs."""
        return cls(encoder.name, encoder.model_id, encoder.rule.rule_id)

    def as_dict(self) -> dict[str, str]:
        """The same, ready for JSON."""
        return {"name": self.name, "id": self.model_id, "rule": self.rule_id}
