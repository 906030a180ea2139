import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.engine import Engine

from okng.cloud import limits
from okng.cloud.database import bring_up, open_database

from .engines import Postgres, Seaweed, postgres_server, seaweed_server
from .rig import Rig, Running, rig, running, settings_of, short_folder


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


@pytest.fixture
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted by the minute stays in this one, however long the test takes."""
    now = time.time()
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: now))


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


@pytest.fixture(scope="session")
def brought_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    file = tmp_path_factory.mktemp("brought") / "fleet.db"
    _up(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """A database with all tables, to be copied."""
    name = postgres.fresh()
    _up(postgres.url(name))
    return name


def _up(url: str) -> None:
    engine = open_database(url)
    bring_up(engine)
    engine.dispose()


@pytest.fixture(params=["postgres", "sqlite"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database of each kind with all tables and nothing in them."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("brought_up"), tmp_path / "fleet.db")
        yield f"sqlite:///{tmp_path}/fleet.db"
        return
    template: str = request.getfixturevalue("template")
    postgres: Postgres = request.getfixturevalue("postgres")
    name = postgres.fresh(template)
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def database(fresh_url: str) -> Iterator[Engine]:
    """A database of each kind, brought up, with nothing in it."""
    engine = open_database(fresh_url)
    yield engine
    engine.dispose()


@pytest.fixture
def fleet(fresh_url: str, tmp_path: Path) -> Iterator[Rig]:
    """The service in this process, on each database, blobs in a folder."""
    folder = tmp_path / "fleet"
    with rig(settings_of(folder, fresh_url.replace("postgresql+psycopg", "postgresql")), folder) as made:
        yield made


@pytest.fixture(scope="session")
def service(postgres: Postgres, seaweed: Seaweed) -> Iterator[Running]:
    """`okng fleet serve` over real mutual TLS, with PostgreSQL and SeaweedFS. Shared: make boxes of your own in it."""
    name = postgres.fresh()
    with short_folder() as folder, running(folder / "fleet", postgres.settings_url(name), seaweed) as made:
        yield made
    postgres.drop(name)
