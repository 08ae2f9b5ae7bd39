"""A gallery of invented writers, just enough to tell something, and what it tells."""

import shutil
from pathlib import Path

import pytest

from encoder.calibration.gallery_statistics import LEAST_WRITERS
from index.registry.schema_version import upgrade
from service.composition import build_services, prepare_folders
from service.models.gallery_calibration import work_out
from service.settings import read_settings
from service.writers.enroll import create_writer

EACH = 2


@pytest.fixture(scope="session")
def enroll(uploads):
    def one_by_one(services, *seeds, each=EACH):
        for seed in seeds:
            parts = {"encoder": services.encoder, "registry": services.registry}
            create_writer(f"W-{seed}", "", uploads(seed, *range(each)), **parts)

    return one_by_one


@pytest.fixture(scope="session")
def told():
    """What is worked out, to its end."""

    def at_the_end(steps):
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                return ended.value

    return at_the_end


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory, enroll) -> Path:
    """A data folder with just enough writers."""
    folder = tmp_path_factory.mktemp("gallery") / "data"
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(folder)})
    prepare_folders(settings)
    upgrade(settings.database_url)
    services = build_services(settings)
    enroll(services, *range(1, LEAST_WRITERS + 1))
    services.close()
    return folder


@pytest.fixture
def data_dir(enrolled, tmp_path) -> Path:
    return Path(shutil.copytree(enrolled, tmp_path / "own"))


@pytest.fixture
def gallery(data_dir):
    services = build_services(read_settings({"COUNTERSIGN_DATA_DIR": str(data_dir)}))
    yield services
    services.close()


@pytest.fixture(scope="session")
def new(enrolled, tmp_path_factory, told):
    """What that gallery tells."""
    folder = shutil.copytree(enrolled, tmp_path_factory.mktemp("told") / "data")
    services = build_services(read_settings({"COUNTERSIGN_DATA_DIR": str(folder)}))
    found = told(work_out(services, "test"))
    services.close()
    return found
