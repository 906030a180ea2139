import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Engine
from sqlalchemy.exc import StatementError

from okng.cloud.columns import Base
from okng.cloud.database import open_database, reading, writing
from okng.cloud.deeds import broken, note
from okng.cloud.tables import Box, Deed

AT = datetime(2026, 11, 27, 8, 0, 0, 123456, tzinfo=UTC)


def a_box(name: str = "press4", mark: str = "a") -> Box:
    return Box(id=name, name=name, cert_sha256=mark * 64, cert_ends_at=AT, enrolled_at=AT)


def test_the_steps_end_at_what_the_program_says(database: Engine) -> None:
    with database.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert [one for one in found if "sqlite_autoindex" not in str(one)] == []


UP = """\
import sys
from okng.cloud.database import bring_up, open_database
engine = open_database(sys.argv[1])
bring_up(engine)
engine.dispose()
"""


def test_many_that_start_at_once_take_each_step_once(empty_url: str) -> None:
    many = [subprocess.Popen([sys.executable, "-c", UP, empty_url], stderr=subprocess.PIPE) for _ in range(5)]
    for one in many:
        _, said = one.communicate(timeout=50)
        assert one.returncode == 0, said.decode()
    engine = open_database(empty_url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from alembic_version")).scalar_one() == 1
    engine.dispose()


def test_a_moment_comes_back_in_utc_and_a_naive_one_is_refused(database: Engine) -> None:
    with writing(database) as db:
        db.add(a_box())
    with reading(database) as db:
        found = db.get_one(Box, "press4")
        assert found.enrolled_at == AT
        assert found.enrolled_at.utcoffset() == timedelta(0)
    with writing(database) as db:
        there = AT.astimezone(timezone(timedelta(hours=8)))
        db.execute(sa.update(Box).values(seen_at=there))
    with reading(database) as db:
        assert db.get_one(Box, "press4").seen_at == AT
    with pytest.raises(StatementError, match="time zone"), writing(database) as db:
        db.execute(sa.update(Box).values(seen_at=AT.replace(tzinfo=None)))


def test_what_is_rolled_back_was_never_there(database: Engine) -> None:
    def fail() -> None:
        with writing(database) as db:
            db.add(a_box())
            db.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with reading(database) as db:
        assert db.get(Box, "press4") is None


def test_deeds_of_many_at_once_make_one_chain(database: Engine) -> None:
    def act(number: int) -> None:
        with writing(database) as db:
            note(db, "service", "tried", f"box:{number}", {"n": number, "word": "gut – 好"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(40)))
    with reading(database) as db:
        assert sorted(db.execute(sa.select(Deed.id)).scalars()) == list(range(1, 41))
        assert broken(db) is None


@pytest.mark.parametrize("change", [{"who": "person:x"}, {"detail": {"n": 1}}, {"at": AT}, {"before": "1" * 64}])
def test_a_changed_deed_is_found(database: Engine, change: dict[str, object]) -> None:
    for number in range(5):
        with writing(database) as db:
            note(db, "service", "tried", "", {"n": number, "f": [1.5, 2.0, 1e16, 1e-9]})
    with reading(database) as db:
        assert broken(db) is None
    with writing(database) as db:
        db.execute(sa.update(Deed).where(Deed.id == 3).values(**change))
    with reading(database) as db:
        assert broken(db) == 3


def test_a_deed_that_is_gone_is_found(database: Engine) -> None:
    for number in range(5):
        with writing(database) as db:
            note(db, "service", "tried", "", {"n": number})
    with writing(database) as db:
        db.execute(sa.delete(Deed).where(Deed.id == 2))
    with reading(database) as db:
        assert broken(db) == 2
