"""One `roost up` for each module of tests."""

from collections.abc import Iterator

import pytest

from tests.real.harness import Person, Roost, running


@pytest.fixture(scope="module")
def roost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roost]:
    with running(tmp_path_factory.mktemp("roost")) as service:
        yield service


@pytest.fixture(scope="module")
def ada(roost: Roost) -> Person:
    return roost.user("ada")


@pytest.fixture(scope="module")
def bob(roost: Roost) -> Person:
    return roost.user("bob")
