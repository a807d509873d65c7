"""Fixtures: one shared `roost up` for tests that leave it as they found it, with users per module.

A module that kills or measures the server starts its own:

    @pytest.fixture(scope="module")
    def roost(own_roost: Roost) -> Roost:
        return own_roost
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import migrated
from tests.real.harness import Person, Roost, check_nobody_held_the_loop, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests with the shared server last, so that it starts late and is never idle."""
    folder = Path(__file__).parent
    ordered = iter(sorted((item for item in items if item.path.parent == folder), key=shares_one))
    items[:] = [next(ordered) if item.path.parent == folder else item for item in items]


def shares_one(item: pytest.Item) -> bool:
    return "shared_roost" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def made_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an initialized and migrated database, for `migrated.put`."""
    return migrated.make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def begun(tmp_path: Path, made_database: Path) -> Path:
    """A folder for `running` whose data directory has a migrated database."""
    migrated.put(made_database, tmp_path / "data")
    return tmp_path


@pytest.fixture(scope="module")
def begun_for_all(tmp_path_factory: pytest.TempPathFactory, made_database: Path) -> Path:
    """As `begun`, for a whole module."""
    folder = tmp_path_factory.mktemp("roost")
    migrated.put(made_database, folder / "data")
    return folder


@pytest.fixture(scope="module")
def own_roost(begun_for_all: Path) -> Iterator[Roost]:
    """A server for this module alone."""
    with running(begun_for_all) as service:
        yield service


@pytest.fixture(scope="package")
def shared_roost(tmp_path_factory: pytest.TempPathFactory, made_database: Path) -> Iterator[Roost]:
    folder = tmp_path_factory.mktemp("shared")
    migrated.put(made_database, folder / "data")
    with running(folder) as service:
        yield service


@pytest.fixture(scope="module")
def roost(shared_roost: Roost) -> Iterator[Roost]:
    yield shared_roost
    shared_roost.closing.close()  # the next module finds none of these clients
    check_nobody_held_the_loop(shared_roost)
    shared_roost.looked_at = len(shared_roost.log)  # the next module's check begins here


def user_of(request: pytest.FixtureRequest, roost: Roost, name: str) -> Person:
    """A user of this module alone."""
    return roost.user(f"{name}.{request.module.__name__.rpartition('.')[2]}")


@pytest.fixture(scope="module")
def ada(request: pytest.FixtureRequest, roost: Roost) -> Person:
    return user_of(request, roost, "ada")


@pytest.fixture(scope="module")
def bob(request: pytest.FixtureRequest, roost: Roost) -> Person:
    return user_of(request, roost, "bob")
