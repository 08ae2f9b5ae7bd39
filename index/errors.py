"""Everything that can go wrong in the gallery, as one tree of errors.

GalleryError
├── InvalidWriter           a writer id or name that cannot be kept
├── UnknownWriter           nobody is enrolled under this id
├── WriterExists            somebody is enrolled under this id already
├── WriterChanged           the writer is not as whoever asks for a change has seen them
├── UnknownReference        the writer has no such reference
├── ImageNotHeld            the reference came here as a vector, without its image
├── DuplicateReference      the writer has this very image already
├── NoReferences            the writer is known, but has nothing to compare with
├── UnknownModel            the registry has no such model
├── ModelChanged            another model is active now than the one an enrollment used
├── UnknownCalibration      the gallery was never calibrated so, or nothing was put to use
├── CalibrationOutdated     it was worked out for another model or rule than decides now
├── UnknownDecision         no decision of this id was recorded
├── QueryNotKept            the query image of a decision was purged or erased
├── ReviewRefused           who may not review a decision, or reviewed it already
├── UnknownKey              there is no key of this prefix
├── UnknownUser             there is no user of this name
├── UserExists              there is a user of this name already
├── UnknownSession          the user has no such session
├── InvalidVector           not finite unit vectors of the expected size
├── InvalidPieces           more bytes than are kept of a signature's pieces, or not one for each
├── InvalidCursor           a page cursor that was not given out here
├── SchemaMismatch          the database has another schema than this version works with
├── RegistryUnavailable     the database cannot be opened, is locked or damaged
│   ├── RegistryFull        the disk that it is on is full
│   └── RegistryReplaced    its file was removed or replaced under the process
├── ErasureIncomplete       rows are erased, but a copy of them may still be on disk
├── HistoryForked           the registry no longer holds the revision that an index stands on
├── IndexUnavailable        the server that holds a shared index cannot be used
│   ├── CollectionMissing   the server is there, the collection is not, or is unfinished
│   └── IndexBehind         a shared index has not come as far as the request needs
├── LeaseLost               another process has taken over the writing to a shared index
├── BackupNotMade           a backup that could not be written, or read back
├── BackupUnusable          a backup that is damaged, of something else, or of a newer version
├── PlaceTaken              a backup is restored into an empty place only, and this is none
├── TombstonesUnusable      a list of erasures that is damaged, or of another registry
├── SnapshotUnusable        a saved index that must not be trusted
└── SnapshotNotSaved        an index that could not be written to disk
"""


class GalleryError(Exception):
    """Base of all errors raised by the registry and the index."""


class InvalidWriter(GalleryError):
    """A writer id or a name is not one that the registry keeps."""


class UnknownWriter(GalleryError):
    """No writer is enrolled under this id."""

    def __init__(self, writer_id: str) -> None:
        super().__init__(f"Writer {writer_id!r} is not enrolled; create the writer first.")
        self.writer_id = writer_id


class WriterExists(GalleryError):
    """A writer is enrolled under this id already."""

    def __init__(self, writer_id: str) -> None:
        super().__init__(
            f"Writer {writer_id!r} exists already; add references to it, or choose another id."
        )
        self.writer_id = writer_id


class WriterChanged(GalleryError):
    """The writer is not as whoever asks for a change has seen them."""

    def __init__(self, writer_id: str) -> None:
        super().__init__(
            f"Writer {writer_id!r} has changed since: expected one as in If-Match. Look the writer "
            "up again, and send its ETag if the change is still wanted."
        )
        self.writer_id = writer_id


class UnknownReference(GalleryError):
    """The writer has no reference of this number."""

    def __init__(self, writer_id: str, reference_id: int) -> None:
        super().__init__(f"Writer {writer_id!r} has no reference {reference_id}.")
        self.writer_id = writer_id
        self.reference_id = reference_id


class ImageNotHeld(GalleryError):
    """The reference was imported as a vector, without its image."""

    def __init__(self, writer_id: str, reference_id: int) -> None:
        super().__init__(
            f"Reference {reference_id} of writer {writer_id!r} was imported without its image; "
            "the registry that it was exported from has it."
        )
        self.writer_id = writer_id
        self.reference_id = reference_id


class DuplicateReference(GalleryError):
    """The writer has a reference with the same bytes; `reference_id` is the one there is.

    `reference_id` is None when the same image came twice in one request.
    """

    def __init__(self, reference_id: int | None) -> None:
        where = (
            "twice in this request"
            if reference_id is None
            else f"already, as reference {reference_id}"
        )
        super().__init__(f"This image is among the writer's references {where}; send it once.")
        self.reference_id = reference_id


class NoReferences(GalleryError):
    """The writer is known, but has no reference that the model has encoded."""

    def __init__(self, writer_id: str) -> None:
        super().__init__(
            f"Writer {writer_id!r} has no references to compare with; enroll at least one."
        )
        self.writer_id = writer_id


class UnknownModel(GalleryError):
    """The registry was asked about a model that was never registered with it."""

    def __init__(self, model_id: str) -> None:
        super().__init__(f"Model {model_id!r} is not registered; register it first.")
        self.model_id = model_id


class ModelChanged(GalleryError):
    """References came with embeddings of a model that is no longer the active one.

    Nothing was stored. `active_id` is the model to embed them with.
    """

    def __init__(self, active_id: str) -> None:
        super().__init__(
            f"The model was switched meanwhile: {active_id[:12]} is active now. Nothing of this "
            "batch was stored; run the same command again."
        )
        self.active_id = active_id


class UnknownCalibration(GalleryError):
    """The registry has no calibration of this number; None where there is nothing to undo."""

    def __init__(self, calibration_id: int | None) -> None:
        super().__init__(
            "No calibration of the gallery was ever put to use; there is nothing to undo."
            if calibration_id is None
            else f"There is no calibration of the gallery with the id {calibration_id}; "
            "GET /v1/model shows the one that is proposed, if any."
        )
        self.calibration_id = calibration_id


class CalibrationOutdated(GalleryError):
    """A calibration is for another model, or another rule of it, than decides now."""

    def __init__(self, calibration_id: int) -> None:
        super().__init__(
            f"The calibration {calibration_id} of the gallery was worked out for another model or "
            "rule than decides now. Run `countersign calibrate --gallery` for a new one."
        )
        self.calibration_id = calibration_id


class UnknownDecision(GalleryError):
    """The audit trail has no decision of this id."""

    def __init__(self, decision_id: str) -> None:
        super().__init__(
            f"There is no decision with the id {decision_id[:40]!r}; GET /v1/decisions lists those "
            "there are."
        )
        self.decision_id = decision_id


class QueryNotKept(GalleryError):
    """The query image of a decision is not kept any more; its hash may be."""

    def __init__(self, decision_id: str) -> None:
        super().__init__(
            f"The query image of decision {decision_id} is not kept any more: its time was over, "
            "it was erased, or the decision is older than the keeping of images."
        )
        self.decision_id = decision_id


class ReviewRefused(GalleryError):
    """Somebody may not review a decision; the message says why."""


class UnknownKey(GalleryError):
    """There is no key of this prefix, or it was revoked."""

    def __init__(self, prefix: str) -> None:
        super().__init__(
            f"There is no key {prefix!r} that is in use; `countersign keys list` shows those there "
            "are."
        )
        self.prefix = prefix


class UnknownUser(GalleryError):
    """There is no user of this name."""

    def __init__(self, username: str) -> None:
        super().__init__(
            f"There is no user {username!r}; `countersign users list` shows those there are."
        )
        self.username = username


class UserExists(GalleryError):
    """There is a user of this name already."""

    def __init__(self, username: str) -> None:
        super().__init__(
            f"There is a user {username!r} already. `countersign users reset {username}` gives "
            "them a new link to set a password."
        )
        self.username = username


class UnknownSession(GalleryError):
    """The user is not signed in under this session."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"There is no session {session_id!r} of this user.")
        self.session_id = session_id


class InvalidVector(GalleryError):
    """An array is not made of finite unit vectors of the expected dimension."""


class InvalidPieces(GalleryError):
    """The bytes that a model keeps besides a vector are too many, or not there for each."""


class InvalidCursor(GalleryError):
    """A page cursor is not one that an earlier page gave out."""

    def __init__(self) -> None:
        super().__init__("The cursor is not valid; pass next_cursor of the previous page, or none.")


class SchemaMismatch(GalleryError):
    """The database's schema is not the one that this version of Countersign works with."""

    def __init__(self, found: str | None, expected: str, remedy: str) -> None:
        shown = "no schema" if found is None else f"schema {found!r}"
        super().__init__(f"The database has {shown}, expected {expected!r}. {remedy}")
        self.found = found
        self.expected = expected


class RegistryUnavailable(GalleryError):
    """The registry's database cannot be used right now."""


class RegistryFull(RegistryUnavailable):
    """The disk that the registry is on is full: nothing can be written until there is room."""


class RegistryReplaced(RegistryUnavailable):
    """The registry's file was removed or replaced under the process that has it open."""


class ErasureIncomplete(GalleryError):
    """The rows are gone, but a file on disk may still hold them; the message says which."""


class HistoryForked(GalleryError):
    """The registry was replaced (restored from a backup): its log has another past."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"The registry's log does not continue from revision {revision}.")
        self.revision = revision


class IndexUnavailable(GalleryError):
    """The server that holds a shared index cannot be reached, or refuses; the message says why."""


class CollectionMissing(IndexUnavailable):
    """The collection that should hold the index is not on the server, or was never finished."""

    def __init__(self, collection: str) -> None:
        super().__init__(f"The collection {collection} is not on the server, or is unfinished.")
        self.collection = collection


class IndexBehind(IndexUnavailable):
    """A shared index did not come to the revision that was needed within the wait."""

    def __init__(self, needed: int, reached: int, waited_s: float) -> None:
        super().__init__(
            f"The shared index has come to revision {reached}, {needed} is needed; waited "
            f"{waited_s:g} s. It is being drained; try again in a moment."
        )
        self.needed = needed
        self.reached = reached


class LeaseLost(GalleryError):
    """The lease to write to a shared index ran out, and may be another process's by now."""

    def __init__(self) -> None:
        super().__init__("The lease to write to the shared index ran out; it is taken anew.")


class BackupNotMade(GalleryError):
    """A backup could not be made; `reason` says why. Nothing is left of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The backup was not made: {reason}.")
        self.reason = reason


class BackupUnusable(GalleryError):
    """A backup is damaged, of something else, or of a newer version; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The backup cannot be used: {reason}.")
        self.reason = reason


class PlaceTaken(GalleryError):
    """There is a registry where a backup should be restored."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"A backup is restored into an empty place only, and {place}. Nothing was changed. "
            "Move what is there away, or name another place with COUNTERSIGN_DATA_DIR or "
            "COUNTERSIGN_DATABASE_URL."
        )


class TombstonesUnusable(GalleryError):
    """A list of erasures is damaged, or is of another registry; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The list of erasures cannot be used: {reason}.")
        self.reason = reason


class SnapshotUnusable(GalleryError):
    """A saved index is missing, damaged, or belongs to something else; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The saved index cannot be used: {reason}.")
        self.reason = reason


class SnapshotNotSaved(GalleryError):
    """The index could not be written; it goes on in memory, and the next start rebuilds it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The index could not be saved: {reason}.")
        self.reason = reason
