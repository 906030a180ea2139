"""The database: PostgreSQL, or one SQLite file for a single site. One way of writing for both.

SQLite knows no `for update`: a transaction that will write says so at its beginning (`BEGIN IMMEDIATE`), and is alone
from then on. PostgreSQL locks the rows that `with_for_update` names.
"""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.orm import Session

from . import tables, tables_rollout  # noqa: F401  # known before anybody compares them with what a step made
from .columns import Base

DatabaseLost = sa.exc.OperationalError
"""The database does not answer, or turns us away."""
MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x6F6B6E67
"""Of PostgreSQL's advisory locks, the one under which the steps run."""
BUSY_S = 30
"""How long a writer of SQLite waits for another."""
SAFE_WAL = (3, 51, 3)
"""Before this SQLite a reset of the write-ahead log could corrupt the file: the older ones keep a rollback journal."""
POOL = 16


def open_database(url: str | URL, pool: int = POOL) -> Engine:
    """The engine; nothing is asked of the database yet. One for a process, made after the fork."""
    if sa.make_url(url).get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False})
        event.listen(engine, "connect", _begin_ourselves)
        event.listen(engine, "begin", _begin)
        return engine
    return sa.create_engine(url, pool_size=pool, max_overflow=0, pool_pre_ping=True, pool_recycle=3600)


def _begin_ourselves(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    (version,) = connection.execute("select sqlite_version()").fetchone()
    journal = "WAL" if tuple(map(int, version.split("."))) >= SAFE_WAL else "TRUNCATE"
    for pragma in ("foreign_keys=ON", "synchronous=FULL", f"journal_mode={journal}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that writes: committed at the end of the block, rolled back by an exception."""
    with Session(engine.execution_options(writes=True), expire_on_commit=False) as session, session.begin():
        yield session


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A transaction that only reads."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


def said_by(error: DatabaseLost) -> str:
    """The first line of what the driver said."""
    return str(error.orig).strip().partition("\n")[0][:300]


def bring_up(engine: Engine) -> None:
    """Bring the tables up to the form of this program; many may call it at once, one does it."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it would tell of each of its parts, at import
    from alembic import command
    from alembic.config import Config

    with engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes.update(connection=connection, metadata=Base.metadata)
        command.upgrade(config, "heads")
