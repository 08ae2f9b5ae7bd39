"""The registry, the SQL truth: its nouns, each in a module of its own. It knows no vector index."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from index.registry import change_log
from index.registry.access.kept_answers import KeptAnswers
from index.registry.access.keys import Keys
from index.registry.access.rate_counts import RateCounts
from index.registry.access.sessions import Sessions, SignInTries
from index.registry.access.users import Users
from index.registry.audit.chain import AuditChain
from index.registry.audit.retention import Retention
from index.registry.audit.reviews import Reviews
from index.registry.audit.verification import TrailVerification
from index.registry.audit_log import AuditLog
from index.registry.change_log import ChangeLog
from index.registry.database import Database
from index.registry.disk.erasures import Erasures
from index.registry.disk.expired import Expired
from index.registry.disk.purge import Purge
from index.registry.embeddings import Embeddings
from index.registry.following.consistent_reader import ConsistentReader
from index.registry.following.lease import Lease
from index.registry.gallery_calibrations import GalleryCalibrations
from index.registry.models import Models
from index.registry.references import References
from index.registry.writers import Writers


class Registry:
    """One process's door to the registry; thread-safe; build it after a fork, never before.

    Every method of its nouns is one transaction: a change is on disk when the method returns.

    Raises:
        RegistryUnavailable: the database cannot be used; by every method.
    """

    def __init__(self, database_url: str) -> None:
        self._database = Database(database_url)
        self.writers = Writers(self._database)
        self.references = References(self._database)
        self.embeddings = Embeddings(self._database)
        self.models = Models(self._database)
        self.calibrations = GalleryCalibrations(self._database)
        self.changes = ChangeLog(self._database)
        self.decisions = AuditLog(self._database)
        self.audit = AuditChain(self._database)
        self.expired = Expired(self._database)
        self.trail = TrailVerification(self._database)
        self.reviews = Reviews(self._database)
        self.retention = Retention(self._database)
        self.keys = Keys(self._database)
        self.users = Users(self._database)
        self.sessions = Sessions(self._database)
        self.sign_in_tries = SignInTries(self._database)
        self.kept_answers = KeptAnswers(self._database)
        self.rate_counts = RateCounts(self._database)
        self.erasures = Erasures(self._database)
        self.purge = Purge(self._database, self.erasures)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def require_usable(self) -> None:
        """Return when changes can be written to the registry that was opened.

        Raises:
            RegistryReplaced: its file was removed or replaced.
            RegistryFull: the disk is full.
        """
        self._database.require_usable()

    def keep_reserve(self) -> bool:
        """Set room aside by which erasing works on a full disk; return whether there is some."""
        file = self._database.file
        return file is None or file.keep_reserve()

    def clock_s(self) -> float:
        """Return what the database's clock says: Unix time in seconds."""
        with self._database.read() as connection:
            return float(connection.execute(select(self._database.clock_s())).scalar_one())

    def registry_id(self) -> str:
        """Return the name that this registry was given when its database was made."""
        with self._database.read() as connection:
            return change_log.registry_id(connection)

    @contextmanager
    def reading(self, model_id: str) -> Iterator[ConsistentReader]:
        """Give the gallery as it is now, to read all of it while others write: one transaction."""
        with self._database.snapshot() as connection:
            yield ConsistentReader(connection, model_id)

    def lease(self, model_id: str, address: str) -> Lease:
        """Return the lease to write to the index that the server at `address` holds of a model."""
        return Lease(self._database, model_id, address)
