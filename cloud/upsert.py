"""One statement that adds rows or changes those that are there, on PostgreSQL and on SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .columns import Base

MOST = 500
"""Rows in one statement."""


def put(
    session: Session,
    kind: type[Base],
    rows: Sequence[Mapping[str, Any]],
    add: Sequence[str] = (),
    replace: Sequence[str] = (),
    newer_by: Sequence[str] = (),
    least: Sequence[str] = (),
    most: Sequence[str] = (),
) -> None:
    """Insert the rows; where one of that key is there, add to, replace, or keep the least or most of its columns.

    newer_by: the row changes only where these of the new one, compared in order, are not below those of the old one.
    rows: no key may come twice. With nothing to add, replace, keep: what is there stays.
    """
    table = kind.__table__
    assert isinstance(table, sa.Table)
    bind = session.get_bind()
    insert = postgresql.insert if bind.dialect.name == "postgresql" else sqlite.insert
    lowest = sa.func.least if bind.dialect.name == "postgresql" else sa.func.min
    highest = sa.func.greatest if bind.dialect.name == "postgresql" else sa.func.max
    for start in range(0, len(rows), MOST):
        made = insert(table).values(list(rows[start : start + MOST]))
        new = made.excluded
        change: dict[str, Any] = {name: table.c[name] + new[name] for name in add}
        change.update({name: new[name] for name in replace})
        change.update({name: lowest(table.c[name], new[name]) for name in least})
        change.update({name: highest(table.c[name], new[name]) for name in most})
        keys = list(table.primary_key.columns)
        if not change:
            session.execute(made.on_conflict_do_nothing(index_elements=keys))
            continue
        where = sa.tuple_(*(new[name] for name in newer_by)) >= sa.tuple_(*(table.c[name] for name in newer_by))
        session.execute(made.on_conflict_do_update(index_elements=keys, set_=change, where=where if newer_by else None))
