"""The ledger, with a journal for each movement of money that there was before.

Revision ID: 0037
Revises: 0036
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_NEW_ID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
_OF = "hospital_id, kind, subject_id, payment_id, refund_id, channel, merchant, currency, at, posted_at"
_PAYMENTS = """INSERT INTO journals (id, {of}) SELECT {new_id}, p.hospital_id, 'payment_received', p.id, p.id, NULL,
 p.channel, p.merchant, p.received_currency, COALESCE(p.paid_at, p.created_at), COALESCE(p.paid_at, p.created_at)
 FROM payments p WHERE p.status = 'succeeded' AND p.received_fen > 0"""
_REFUNDS = """INSERT INTO journals (id, {of}) SELECT {new_id}, r.hospital_id, '{kind}', r.id, p.id, r.id, p.channel,
 p.merchant, p.received_currency, {at}, {at} FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE {which}"""
_ENTRIES = """INSERT INTO ledger_entries (id, journal_id, account, amount_fen) SELECT {new_id}, j.id, '{account}',
 {sign}COALESCE(r.amount_fen, p.received_fen) FROM journals j JOIN payments p ON p.id = j.payment_id
 LEFT JOIN refunds r ON r.id = j.refund_id WHERE j.kind = '{kind}'"""
_ENDED = "COALESCE((SELECT MAX(e.at) FROM state_events e WHERE e.record_id = r.id), r.created_at)"
_KINDS = {
    "refund_due": ("r.created_at", "1 = 1"),
    "refund_paid": ("COALESCE(r.succeeded_at, r.created_at)", "r.status = 'succeeded'"),
    "refund_withdrawn": (_ENDED, "r.status = 'closed'"),
}
_SIDES = {
    "payment_received": ("gateway", "charge"),
    "refund_due": ("charge", "returning"),
    "refund_paid": ("returning", "gateway"),
    "refund_withdrawn": ("returning", "charge"),
}


def upgrade() -> None:
    op.create_table(
        "journals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name="fk_journals_hospital_id"),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_journals_payment_id"),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name="fk_journals_refund_id"),
        sa.PrimaryKeyConstraint("id", name="pk_journals"),
        sa.UniqueConstraint("kind", "subject_id", name="uq_journals_kind_subject_id"),
    )
    op.create_index("ix_journals_merchant", "journals", ["merchant", "at"])
    op.create_index("ix_journals_payment_id", "journals", ["payment_id"])
    op.create_index("ix_journals_refund_id", "journals", ["refund_id"])
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name="amount"),
        sa.ForeignKeyConstraint(["journal_id"], ["journals.id"], name="fk_ledger_entries_journal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entries"),
        sa.UniqueConstraint("journal_id", "account", name="uq_ledger_entries_journal_id_account"),
    )
    _write_what_was()


def _write_what_was() -> None:
    new_id = _NEW_ID[op.get_context().dialect.name]
    op.execute(_PAYMENTS.format(of=_OF, new_id=new_id))
    for kind, (at, which) in _KINDS.items():
        op.execute(_REFUNDS.format(of=_OF, new_id=new_id, kind=kind, at=at, which=which))
    for kind, accounts in _SIDES.items():
        for account, sign in zip(accounts, ("", "-"), strict=True):
            op.execute(_ENTRIES.format(new_id=new_id, kind=kind, account=account, sign=sign))


def downgrade() -> None:
    op.drop_table("ledger_entries")
    op.drop_table("journals")
