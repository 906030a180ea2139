"""How often something may be tried, counted in the database: the same bound whichever worker or instance is asked."""

import time
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .tables import Attempt

MINUTE = 60


def count(db: Session, key: str, most: int, per_s: int = MINUTE) -> int:
    """Count one more; 0: it may be done, else seconds to wait. In a transaction that writes, and that is committed."""
    now = time.time()
    window = int(now // per_s) * per_s
    ends = datetime.fromtimestamp(window + per_s, UTC)
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    made = insert(Attempt).values(key=key[:200], window=window, count=1, ends_at=ends)
    statement = made.on_conflict_do_update(
        index_elements=["key", "window"], set_={"count": Attempt.count + 1}
    ).returning(Attempt.count)
    counted = db.execute(statement).scalar_one()
    if counted == 1:  # a new stretch: those of this key that are long over go
        db.execute(sa.delete(Attempt).where(Attempt.key == key[:200], Attempt.ends_at < ends - timedelta(hours=1)))
    if counted <= most:
        return 0
    return max(1, int(window + per_s - now) + 1)


def used_up(db: Session, key: str, most: int, per_s: int = MINUTE) -> int:
    """Seconds to wait if it was tried so often already, else 0; counts nothing."""
    now = time.time()
    window = int(now // per_s) * per_s
    found = db.execute(sa.select(Attempt.count).where(Attempt.key == key[:200], Attempt.window == window)).scalar()
    return max(1, int(window + per_s - now) + 1) if (found or 0) >= most else 0


def forget(db: Session) -> None:
    """Remove what no longer counts."""
    db.execute(sa.delete(Attempt).where(Attempt.ends_at < datetime.now(UTC) - timedelta(hours=1)))
