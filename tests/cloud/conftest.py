from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from okng.cloud.database import bring_up, open_database

from .engines import Postgres, Seaweed, postgres_server, seaweed_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of our own."""
    with postgres_server() as found:
        yield found


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """A SeaweedFS of our own with an empty bucket `okng`."""
    with seaweed_server() as found:
        yield found


@pytest.fixture(params=["postgres", "sqlite"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without a table, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/fleet.db"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = postgres.fresh()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def database(empty_url: str) -> Iterator[Engine]:
    """A database of each kind, brought up, with nothing in it."""
    engine = open_database(empty_url)
    bring_up(engine)
    yield engine
    engine.dispose()
