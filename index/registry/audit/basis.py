"""What a decision rests on, kept beside it: details, the rule as it was, and the query image."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from index.registry.audit.sealing import text_sha256
from index.registry.schema import (
    DecisionDetailsRow,
    DecisionImageRow,
    DecisionMentionRow,
    DecisionRuleRow,
    ReviewTaskRow,
)

RULE = "rule_sha256"  # Names the rule in the details.
IMAGE = "image"  # What the details say of the image, where it was kept.


@dataclass(frozen=True)
class DecisionBasis:
    """What a decision rests on.

    `details` are a JSON object, opaque here but for `candidates`, whose members have a `writer_id`.
    `rule` is canonical JSON. `mentions` are writers in it besides the one it is about. `review`
    says why a person should look at it, None where nobody needs to.
    """

    details: Mapping[str, object]
    rule_id: str
    rule: str
    image: bytes
    media_type: str
    mentions: tuple[str, ...] = ()
    review: str | None = None

    def complete(self) -> dict[str, object]:
        """The details as they are kept, which name the rule and the image."""
        image = {"media_type": self.media_type, "bytes": len(self.image)}
        return {**self.details, RULE: text_sha256(self.rule), IMAGE: image}


# Run with every decision, so built once.
_KNOWN = select(DecisionRuleRow.rule_id).where(
    DecisionRuleRow.rule_sha256 == bindparam("rule_sha256")
)
_DETAILS, _IMAGE = insert(DecisionDetailsRow), insert(DecisionImageRow)
_MENTIONS, _TASK = insert(DecisionMentionRow), insert(ReviewTaskRow)


def keep(connection: Connection, sequence: int, basis: DecisionBasis, details: str) -> None:
    """Keep what the decision of a number rests on; `details` are its complete ones as JSON."""
    digest = text_sha256(basis.rule)
    if connection.execute(_KNOWN, {"rule_sha256": digest}).first() is None:
        rule = {"rule_sha256": digest, "rule_id": basis.rule_id, "rule": basis.rule}
        connection.execute(insert(DecisionRuleRow), rule)
    connection.execute(_DETAILS, {"sequence": sequence, "details": details})
    image = {"sequence": sequence, "media_type": basis.media_type, "image": basis.image}
    connection.execute(_IMAGE, image)
    if basis.mentions:
        mentions = [{"sequence": sequence, "writer_id": one} for one in sorted(basis.mentions)]
        connection.execute(_MENTIONS, mentions)
    if basis.review is not None:
        connection.execute(_TASK, {"sequence": sequence, "why": basis.review})
