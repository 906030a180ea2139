"""Boxes, what they said, who may look, what was done."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "attempt",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("window", BIG, nullable=False),
        sa.Column("count", BIG, nullable=False),
        sa.Column("ends_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("key", "window"),
    )
    op.create_index(op.f("ix_attempt_ends_at"), "attempt", ["ends_at"], unique=False)
    op.create_table(
        "box",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("site", sa.String(length=100), nullable=False),
        sa.Column("line", sa.String(length=100), nullable=False),
        sa.Column("cert_sha256", sa.String(length=64), nullable=False),
        sa.Column("cert_before", sa.String(length=64), nullable=True),
        sa.Column("cert_ends_at", UTC, nullable=False),
        sa.Column("enrolled_at", UTC, nullable=False),
        sa.Column("retired_at", UTC, nullable=True),
        sa.Column("seen_at", UTC, nullable=True),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("state", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("cert_before"),
        sa.UniqueConstraint("cert_sha256"),
    )
    op.create_table(
        "deed",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("who", sa.String(length=255), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_deed_subject"), "deed", ["subject"], unique=False)
    op.create_index(op.f("ix_deed_what"), "deed", ["what"], unique=False)
    op.create_table(
        "person",
        sa.Column("sub", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("seen_at", UTC, nullable=True),
        sa.Column("signed_out_at", UTC, nullable=True),
        sa.Column("closed_at", UTC, nullable=True),
        sa.PrimaryKeyConstraint("sub"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rights", JSON, nullable=False),
        sa.Column("made_by", sa.String(length=255), nullable=False),
        sa.Column("made_at", UTC, nullable=False),
        sa.Column("expires_at", UTC, nullable=False),
        sa.Column("revoked_at", UTC, nullable=True),
        sa.Column("used_at", UTC, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_table(
        "alarm",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("box", sa.String(length=40), nullable=True),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("ended_at", UTC, nullable=True),
        sa.Column("ended_by", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alarm_open", "alarm", ["ended_at", "at"], unique=False)
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("first_box", sa.String(length=40), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["first_box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "cursor",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("acked", BIG, nullable=False),
        sa.Column("settled_to", BIG, nullable=False),
        sa.Column("halted", JSON, nullable=True),
        sa.Column("moved_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "stream", "epoch"),
    )
    op.create_table(
        "enrolment",
        sa.Column("ask", sa.String(length=64), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("csr", sa.Text(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("line", sa.String(length=100), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked_at", UTC, nullable=False),
        sa.Column("expires_at", UTC, nullable=False),
        sa.Column("box", sa.String(length=40), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("ask"),
    )
    op.create_index(op.f("ix_enrolment_code_hash"), "enrolment", ["code_hash"], unique=False)
    op.create_table(
        "event",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("arrived_at", UTC, nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "stream", "epoch", "seq"),
    )
    op.create_index("event_box_at", "event", ["box", "at"], unique=False)
    op.create_index("event_kind_at", "event", ["kind", "arrived_at"], unique=False)
    op.create_table(
        "part",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("event_seq", BIG, nullable=False),
        sa.Column("taken_at", UTC, nullable=False),
        sa.Column("serial", sa.String(length=200), nullable=False),
        sa.Column("lot", sa.String(length=200), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("revision", sa.String(length=80), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("station", sa.String(length=100), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("disposition", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=24), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("defects", JSON, nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("shift", sa.String(length=100), nullable=False),
        sa.Column("picture_sha256", sa.String(length=64), nullable=True),
        sa.Column("image", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "epoch", "seq"),
    )
    op.create_index("part_box_taken", "part", ["box", "taken_at"], unique=False)
    op.create_index("part_lot", "part", ["lot"], unique=False)
    op.create_index("part_recipe_model", "part", ["recipe", "model", "taken_at"], unique=False)
    op.create_index("part_serial", "part", ["serial"], unique=False)
    op.create_index("part_taken", "part", ["taken_at"], unique=False)
    op.create_table(
        "picture",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("part_seq", BIG, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "epoch", "part_seq", "sha256"),
    )
    op.create_index("picture_sha256", "picture", ["sha256"], unique=False)
    op.create_table(
        "upload",
        sa.Column("box", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("upload", sa.String(length=200), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("part_size", BIG, nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["box"],
            ["box.id"],
        ),
        sa.PrimaryKeyConstraint("box", "sha256"),
    )
    op.create_index("upload_at", "upload", ["at"], unique=False)
