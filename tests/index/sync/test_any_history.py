"""Any history of enrolling, erasing, saving, dying and starting leaves the index as the registry.

Hypothesis makes the histories. Death here is an error between two writes to disk, after which
nothing of the gallery runs; `test_processes` kills real processes.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.sync import snapshot
from index.sync.local_gallery import LocalGallery
from index.vectors.vector_index import RecallTarget

MODEL = "a" * 64
WHOLE, INDEXED = 48, 32
IVF_FROM = 40
places = st.integers(0, 1)


class Died(BaseException):
    """The process ended here."""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("history") / "registry.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.mark.timeout(600)
def test_after_every_step_the_index_equals_the_registry(migrated):
    class History(AnyHistory):
        database = migrated

    History.TestCase.settings = settings(
        max_examples=30, stateful_step_count=25, deadline=None, derandomize=True
    )
    History.TestCase().runTest()


class AnyHistory(RuleBasedStateMachine):
    """Two galleries of one registry, that share a folder of snapshots."""

    database: Path

    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.database, self.folder / "registry.db")
        url = f"sqlite:///{self.folder / 'registry.db'}"
        self.registries = [Registry(url), Registry(url)]
        self.registries[0].models.register(MODEL, "any", WHOLE)
        self.random = np.random.default_rng(0)
        self.writers: dict[str, dict[int, np.ndarray]] = {}
        self.made = 0
        self.everyone = []
        self.enroll(30, 0)
        self.galleries = [self.opened(place) for place in (0, 1)]

    def opened(self, place):
        gallery = LocalGallery(
            self.registries[place],
            MODEL,
            INDEXED,
            self.folder / "snapshots",
            IVF_FROM,
            RecallTarget(80),
        )
        gallery.open()
        self.everyone.append(gallery)
        return gallery

    @rule(count=st.integers(1, 20), place=places)
    def enroll(self, count, place):
        self.made += 1
        vectors = self.random.standard_normal((count, WHOLE))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        references = []
        for number, vector in enumerate(vectors):
            image = f"{self.made} {number}".encode()
            sha256 = hashlib.sha256(image).hexdigest()
            references.append(NewReference(image, "image/png", b"c", sha256, {}, vector))
        name = f"W-{self.made}"
        _, added = self.registries[place].writers.create(name, "", MODEL, references)
        ids = [one.reference_id for one in added]
        self.writers[name] = dict(zip(ids, vectors, strict=True))

    @precondition(lambda self: self.writers)
    @rule(data=st.data(), place=places, forgets=st.booleans())
    def erase_writer(self, data, place, forgets):
        name = data.draw(st.sampled_from(sorted(self.writers)))
        self.registries[place].writers.erase(name)
        del self.writers[name]
        if forgets:
            self.galleries[place].forget_snapshots()
            assert not list((self.folder / "snapshots").glob("index-*"))

    @precondition(lambda self: any(self.writers.values()))
    @rule(data=st.data(), place=places)
    def erase_reference(self, data, place):
        name = data.draw(st.sampled_from(sorted(n for n, own in self.writers.items() if own)))
        one = data.draw(st.sampled_from(sorted(self.writers[name])))
        self.registries[place].references.erase(name, one)
        del self.writers[name][one]

    @rule(place=places)
    def save(self, place):
        self.galleries[place].save_snapshot()

    @rule(place=places)
    def rebuild(self, place):
        self.galleries[place].rebuild()

    @rule(place=places)
    def wait_until_grown(self, place):
        gallery = self.galleries[place]
        gallery.catch_up()
        gallery._growing.join()

    @rule(place=places, step=st.integers(0, 5))
    def die_while_saving(self, place, step):
        gallery = self.galleries[place]
        self.settle(gallery)
        steps = iter(range(100))
        sync, tidy = snapshot._sync, snapshot.SnapshotFolder._remove_unnamed

        def dying(path):
            if next(steps) >= step:
                raise Died
            sync(path)

        snapshot._sync = dying
        snapshot.SnapshotFolder._remove_unnamed = lambda _: None  # The dead do not tidy up.
        try:
            gallery.save_snapshot()
        except Died:
            pass
        finally:
            snapshot._sync, snapshot.SnapshotFolder._remove_unnamed = sync, tidy
        self.galleries[place] = self.opened(place)

    @rule(place=places, closes=st.booleans())
    def restart(self, place, closes):
        if closes:
            self.galleries[place].close()
        self.galleries[place] = self.opened(place)

    @rule(data=st.data(), place=places, how=st.sampled_from(["flip", "cut", "lose", "empty"]))
    def damage_a_file_and_restart(self, data, place, how):
        for gallery in self.everyone:
            self.settle(gallery)
        files = sorted(one for one in (self.folder / "snapshots").glob("*") if one.name != "lock")
        if files:
            path = data.draw(st.sampled_from(files))
            content = bytearray(path.read_bytes())
            at = data.draw(st.integers(0, max(len(content) - 1, 0)))
            if how == "lose":
                path.unlink()
            elif how == "flip" and content:
                content[at] ^= 1 << data.draw(st.integers(0, 7))
                path.write_bytes(content)
            else:
                path.write_bytes(content[: at if how == "cut" else 0])
        self.galleries[place] = self.opened(place)

    @invariant()
    def the_index_equals_the_registry(self):
        held = {one: vector for own in self.writers.values() for one, vector in own.items()}
        for gallery in self.galleries:
            report = gallery.check()
            assert report.clean, report
            assert report.index_count == report.registry_count == len(held)
            if held:
                one = max(held)
                probe = held[one][np.newaxis]
                assert gallery.search(probe, 1)[0].reference_ids.tolist() == [one]
                found = gallery.search(probe, len(held) + 1)[0]
                assert set(found.reference_ids.tolist()) == held.keys()

    @staticmethod
    def settle(gallery):
        for task in (gallery._growing, gallery._saving):
            task.join()

    def teardown(self):
        for gallery in self.everyone:
            self.settle(gallery)
        for registry in self.registries:
            registry.close()
        shutil.rmtree(self.folder)
