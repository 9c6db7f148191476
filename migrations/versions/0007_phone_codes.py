"""Codes sent to phones, and the gates of those who ask for them.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_phone_codes_created_at", ["created_at"]),
    ("ix_phone_codes_phone", ["phone_hash", "created_at"]),
    ("ix_phone_codes_account", ["account_id", "created_at"]),
    ("ix_phone_codes_net", ["net_hash", "created_at"]),
)


def upgrade() -> None:
    op.create_table(
        "phone_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("hash_key", sa.Integer(), nullable=False),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("net_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sending", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("provider_number", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_phone_codes_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_codes")),
    )
    for name, columns in _INDEXES:
        op.create_index(name, "phone_codes", columns, unique=False)
    op.create_index(
        "uq_phone_codes_live",
        "phone_codes",
        ["account_id", "purpose", "phone_hash"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "code_gates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash_key", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_gates")),
        sa.UniqueConstraint("kind", "subject_hash", name=op.f("uq_code_gates_kind_subject_hash")),
    )
    op.create_index(op.f("ix_code_gates_used_at"), "code_gates", ["used_at"], unique=False)


def downgrade() -> None:
    op.drop_table("code_gates")
    op.drop_table("phone_codes")
