"""Kinds of columns that mean the same on PostgreSQL and on SQLite, and the base of all tables."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""Any JSON value; None is NULL."""
Big = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both; SQLite counts up only in a column of kind INTEGER."""


class Utc(TypeDecorator[datetime]):
    """A moment, always with its zone, always UTC. A naive one is refused: nobody knows what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """On its way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r}: expected a moment with a time zone")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """On its way out."""
        if value is None:
            return None
        found: datetime = value
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables of the service."""
