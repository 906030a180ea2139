"""Counts by the hour, how each box and each plan stands, what people are asked to look at and what they said."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and two indexes on the parts that the pages walk."""
    op.create_table(
        "line_rings",
        sa.Column("line", sa.String(length=100), nullable=False),
        sa.Column("members", JSON, nullable=False),
        sa.Column("halted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("wanted", BIG, nullable=False),
        sa.Column("signed", BIG, nullable=False),
        sa.Column("signed_at", UTC, nullable=True),
        sa.Column("trouble", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("line"),
    )
    op.create_table(
        "rollout",
        sa.Column("line", sa.String(length=100), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("plan", JSON, nullable=False),
        sa.Column("signed_at", sa.String(length=20), nullable=False),
        sa.Column("approved_by", sa.String(length=500), nullable=False),
        sa.Column("seen_at", UTC, nullable=False),
        sa.Column("opened", JSON, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("borne", JSON, nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("changed_at", UTC, nullable=False),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("line", "recipe", "role", "seq"),
    )
    op.create_index(op.f("ix_rollout_bundle"), "rollout", ["bundle"], unique=False)
    op.create_table(
        "climb",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("rung", sa.String(length=16), nullable=False),
        sa.Column("since", UTC, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("figures", JSON, nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("unlocked_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "recipe", "bundle"),
    )
    op.create_index("climb_bundle", "climb", ["bundle", "recipe"], unique=False)
    op.create_table(
        "confirmed",
        sa.Column("n", BIG, nullable=False),
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("part_seq", BIG, nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("truth", sa.String(length=8), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_index("confirmed_box", "confirmed", ["box", "n"], unique=False)
    op.create_table(
        "hourly",
        sa.Column("hour", UTC, nullable=False),
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("lot", sa.String(length=200), nullable=False),
        sa.Column("shift", sa.String(length=100), nullable=False),
        sa.Column("tool", sa.String(length=100), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("health", sa.String(length=100), nullable=False),
        sa.Column("good", BIG, nullable=False),
        sa.Column("rejects", BIG, nullable=False),
        sa.Column("unjudged", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("hour", "box", "recipe", "model", "lot", "shift", "tool", "camera", "health"),
    )
    op.create_index("hourly_box", "hourly", ["box", "hour"], unique=False)
    op.create_index("hourly_recipe", "hourly", ["recipe", "hour"], unique=False)
    op.create_table(
        "hourly_figure",
        sa.Column("hour", UTC, nullable=False),
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("figure", sa.String(length=24), nullable=False),
        sa.Column("n", BIG, nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("squares", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("hour", "box", "recipe", "camera", "figure"),
    )
    op.create_index("hourly_figure_of", "hourly_figure", ["figure", "hour"], unique=False)
    op.create_table(
        "line_label",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("part_epoch", BIG, nullable=False),
        sa.Column("part_seq", BIG, nullable=False),
        sa.Column("what", sa.String(length=8), nullable=False),
        sa.Column("n", BIG, nullable=False),
        sa.Column("truth", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("second", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["box.id"]),
        sa.PrimaryKeyConstraint("box", "epoch", "seq"),
    )
    op.create_index("line_label_part", "line_label", ["box", "part_epoch", "part_seq"], unique=False)
    op.create_table(
        "review",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("part_seq", BIG, nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("truth", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "epoch", "part_seq", "who"),
    )
    op.create_index("review_who", "review", ["who", "at"], unique=False)
    op.create_table(
        "sample",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("part_seq", BIG, nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("champion_ok", sa.Boolean(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("truth", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "epoch", "part_seq"),
    )
    op.create_index("sample_bundle", "sample", ["bundle", "state"], unique=False)
    op.create_index("sample_queue", "sample", ["state", "priority", "at"], unique=False)
    op.create_table(
        "standing",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("why", JSON, nullable=False),
        sa.Column("disk_free_pct", sa.Double(), nullable=True),
        sa.Column("owed", BIG, nullable=True),
        sa.Column("clock_ok", sa.Boolean(), nullable=True),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.Column("models", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box"),
    )
    op.create_index(op.f("ix_standing_level"), "standing", ["level"], unique=False)
    op.create_index(
        "part_rejects",
        "part",
        ["taken_at"],
        postgresql_where=sa.text("outcome = 'NG'"),
        sqlite_where=sa.text("outcome = 'NG'"),
    )
    # The beginning of a serial number: by bytes, whatever the database's language is.
    op.create_index("part_serial_begins", "part", ["serial"], postgresql_ops={"serial": "text_pattern_ops"})
    op.create_index("part_lot_begins", "part", ["lot"], postgresql_ops={"lot": "text_pattern_ops"})
