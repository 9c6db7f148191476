"""The first tables.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash_key", sa.Integer(), nullable=True),
        sa.Column("phone_masked", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_index(op.f("ix_accounts_phone_hash"), "accounts", ["phone_hash"], unique=False)


def _create_audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_at"), "audit_entries", ["at"], unique=False)


def _create_hospitals() -> None:
    op.create_table(
        "hospitals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("grade", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("adcode", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lng", sa.Double(), nullable=True),
        sa.Column("merchant", sa.String(), nullable=True),
        sa.Column("booking_notice", sa.String(), nullable=False),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hospitals")),
        sa.UniqueConstraint("code", name=op.f("uq_hospitals_code")),
    )
    op.create_index(op.f("ix_hospitals_adcode"), "hospitals", ["adcode"], unique=False)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("dedup", sa.String(), nullable=True),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_no", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_ready",
        "jobs",
        ["run_at", "id"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
    )
    op.create_index(
        "uq_jobs_open_dedup",
        "jobs",
        ["dedup"],
        unique=True,
        postgresql_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
    )


def _create_periodic_jobs() -> None:
    op.create_table(
        "periodic_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periodic_jobs")),
        sa.UniqueConstraint("name", name=op.f("uq_periodic_jobs_name")),
    )


def _create_persons() -> None:
    op.create_table(
        "persons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alias_of_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alias_of_id"], ["persons.id"], name=op.f("fk_persons_alias_of_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
    )


def _create_platform_events() -> None:
    op.create_table(
        "platform_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_events")),
        sa.UniqueConstraint(
            "provider", "merchant", "event_id", name=op.f("uq_platform_events_provider_merchant_event_id")
        ),
    )
    op.create_index("ix_platform_events_open", "platform_events", ["state", "received_at"], unique=False)


def _create_platform_tokens() -> None:
    op.create_table(
        "platform_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_platform_tokens_name")),
    )


def _create_refused_events() -> None:
    op.create_table(
        "refused_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("headers", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_events")),
    )
    op.create_index(op.f("ix_refused_events_received_at"), "refused_events", ["received_at"], unique=False)


def _create_state_events() -> None:
    op.create_table(
        "state_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("machine", sa.String(32), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_status", sa.String(), nullable=True),
        sa.Column("to_status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(32), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=True),
        sa.Column("cause_kind", sa.String(32), nullable=False),
        sa.Column("cause_id", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_events")),
        sa.UniqueConstraint("record_id", "seq", name=op.f("uq_state_events_record_id_seq")),
    )
    op.create_index("ix_state_events_cause", "state_events", ["cause_kind", "cause_id"], unique=False)


def _create_booking_policies() -> None:
    op.create_table(
        "booking_policies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_booking_policies_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_policies")),
        sa.UniqueConstraint("level", "subject", name=op.f("uq_booking_policies_level_subject")),
    )


def _create_campuses() -> None:
    op.create_table(
        "campuses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lng", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_campuses_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campuses")),
        sa.UniqueConstraint("code", name=op.f("uq_campuses_code")),
    )
    op.create_index(op.f("ix_campuses_hospital_id"), "campuses", ["hospital_id"], unique=False)


def _create_charges() -> None:
    op.create_table(
        "charges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_charges_account_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_charges_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charges")),
    )


def _create_departments() -> None:
    op.create_table(
        "departments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("subject_code", sa.String(), nullable=True),
        sa.Column("sex", sa.String(32), nullable=True),
        sa.Column("min_age", sa.Integer(), nullable=True),
        sa.Column("max_age", sa.Integer(), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_departments_hospital_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["departments.id"], name=op.f("fk_departments_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
        sa.UniqueConstraint("code", name=op.f("uq_departments_code")),
    )
    op.create_index(op.f("ix_departments_hospital_id"), "departments", ["hospital_id"], unique=False)


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("step", sa.String(), nullable=True),
        sa.Column("reply_status", sa.Integer(), nullable=True),
        sa.Column("reply_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_idempotency_keys_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_idempotency_keys_account_id_key")),
    )
    op.create_index("ix_idempotency_keys_expires", "idempotency_keys", ["expires_at"], unique=False)


def _create_person_identifiers() -> None:
    op.create_table(
        "person_identifiers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id_type", sa.String(32), nullable=False),
        sa.Column("number_hash", sa.LargeBinary(), nullable=False),
        sa.Column("number_hash_key", sa.Integer(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_person_identifiers_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_identifiers")),
        sa.UniqueConstraint(
            "id_type",
            "number_hash_key",
            "number_hash",
            name=op.f("uq_person_identifiers_id_type_number_hash_key_number_hash"),
        ),
    )
    op.create_index(op.f("ix_person_identifiers_person_id"), "person_identifiers", ["person_id"], unique=False)


def _create_platform_identities() -> None:
    op.create_table(
        "platform_identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject_hash_key", sa.Integer(), nullable=False),
        sa.Column("subject_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_platform_identities_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_identities")),
        sa.UniqueConstraint(
            "provider",
            "app",
            "kind",
            "subject_hash_key",
            "subject_hash",
            name=op.f("uq_platform_identities_provider_app_kind_subject_hash_key_subject_hash"),
        ),
    )
    op.create_index(op.f("ix_platform_identities_account_id"), "platform_identities", ["account_id"], unique=False)


def _create_dependents() -> None:
    op.create_table(
        "dependents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("identifier_id", sa.Uuid(), nullable=False),
        sa.Column("relationship", sa.String(32), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("name_masked", sa.String(), nullable=False),
        sa.Column("id_type", sa.String(32), nullable=False),
        sa.Column("id_number_masked", sa.String(), nullable=False),
        sa.Column("sex", sa.String(32), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=False),
        sa.Column("phone_hash_key", sa.Integer(), nullable=False),
        sa.Column("phone_masked", sa.String(), nullable=False),
        sa.Column("region_code", sa.String(), nullable=True),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("guardian_dependent_id", sa.Uuid(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("identity_status", sa.String(32), nullable=False),
        sa.Column("identity_level", sa.Integer(), nullable=False),
        sa.Column("identity_method", sa.String(), nullable=True),
        sa.Column("identity_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_dependents_account_id")),
        sa.ForeignKeyConstraint(
            ["guardian_dependent_id"], ["dependents.id"], name=op.f("fk_dependents_guardian_dependent_id")
        ),
        sa.ForeignKeyConstraint(["identifier_id"], ["person_identifiers.id"], name=op.f("fk_dependents_identifier_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_dependents_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dependents")),
    )
    op.create_index("ix_dependents_person_id", "dependents", ["person_id"], unique=False)
    op.create_index(
        "uq_dependents_live_default",
        "dependents",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL AND is_default"),
        sqlite_where=sa.text("archived_at IS NULL AND is_default"),
    )
    op.create_index(
        "uq_dependents_live_person",
        "dependents",
        ["account_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
        sqlite_where=sa.text("archived_at IS NULL"),
    )
    op.create_index(
        "uq_dependents_live_self",
        "dependents",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL AND relationship = 'self'"),
        sqlite_where=sa.text("archived_at IS NULL AND relationship = 'self'"),
    )


def _create_doctors() -> None:
    op.create_table(
        "doctors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("sex", sa.String(32), nullable=True),
        sa.Column("introduction", sa.String(), nullable=False),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_doctors_department_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_doctors_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doctors")),
        sa.UniqueConstraint("code", name=op.f("uq_doctors_code")),
    )
    op.create_index(op.f("ix_doctors_department_id"), "doctors", ["department_id"], unique=False)
    op.create_index(op.f("ix_doctors_hospital_id"), "doctors", ["hospital_id"], unique=False)


def _create_login_sessions() -> None:
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("platform_identity_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_login_sessions_account_id")),
        sa.ForeignKeyConstraint(
            ["platform_identity_id"], ["platform_identities.id"], name=op.f("fk_login_sessions_platform_identity_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_sessions_token_hash")),
    )
    op.create_index(op.f("ix_login_sessions_account_id"), "login_sessions", ["account_id"], unique=False)


def _create_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sa.Column("payer_identity_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("out_trade_no", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("let_go", sa.Boolean(), nullable=False),
        sa.Column("platform_trade_no", sa.String(), nullable=True),
        sa.Column("received_fen", sa.Integer(), nullable=True),
        sa.Column("received_currency", sa.String(), nullable=True),
        sa.Column("funding", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_times", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'succeeded') = (received_fen IS NOT NULL)", name=op.f("ck_payments_received")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payments_amount")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_payments_account_id")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("fk_payments_charge_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_payments_hospital_id")),
        sa.ForeignKeyConstraint(
            ["payer_identity_id"], ["platform_identities.id"], name=op.f("fk_payments_payer_identity_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("channel", "platform_trade_no", name=op.f("uq_payments_channel_platform_trade_no")),
        sa.UniqueConstraint("merchant", "out_trade_no", name=op.f("uq_payments_merchant_out_trade_no")),
    )
    op.create_index("ix_payments_ask", "payments", ["status", "asked_at"], unique=False)
    op.create_index("ix_payments_charge", "payments", ["charge_id"], unique=False)
    op.create_index(
        "uq_payments_live_charge",
        "payments",
        ["charge_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('created','pending','unknown') AND NOT let_go"),
        sqlite_where=sa.text("status IN ('created','pending','unknown') AND NOT let_go"),
    )


def _create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("dependent_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_consents_account_id")),
        sa.ForeignKeyConstraint(["dependent_id"], ["dependents.id"], name=op.f("fk_consents_dependent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_latest", "consents", ["account_id", "purpose", "dependent_id", "at"], unique=False)


def _create_identity_checks() -> None:
    op.create_table(
        "identity_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("dependent_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("app", sa.String(), nullable=True),
        sa.Column("platform_identity_id", sa.Uuid(), nullable=True),
        sa.Column("out_seq_no", sa.String(), nullable=True),
        sa.Column("reference_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("evidence", sa.String(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("matched", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("checked_by", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_identity_checks_account_id")),
        sa.ForeignKeyConstraint(["dependent_id"], ["dependents.id"], name=op.f("fk_identity_checks_dependent_id")),
        sa.ForeignKeyConstraint(
            ["platform_identity_id"], ["platform_identities.id"], name=op.f("fk_identity_checks_platform_identity_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_checks")),
        sa.UniqueConstraint("out_seq_no", name=op.f("uq_identity_checks_out_seq_no")),
    )
    op.create_index(op.f("ix_identity_checks_dependent_id"), "identity_checks", ["dependent_id"], unique=False)
    op.create_index("ix_identity_checks_pending", "identity_checks", ["status", "expires_at"], unique=False)


def _create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("out_refund_no", sa.String(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("platform_refund_no", sa.String(), nullable=True),
        sa.Column("received_account", sa.String(), nullable=True),
        sa.Column("last_refusal", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_times", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("fk_refunds_charge_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_refunds_hospital_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["refunds.id"], name=op.f("fk_refunds_replaces_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("out_refund_no", name=op.f("uq_refunds_out_refund_no")),
    )
    op.create_index("ix_refunds_ask", "refunds", ["status", "asked_at"], unique=False)
    op.create_index(op.f("ix_refunds_charge_id"), "refunds", ["charge_id"], unique=False)
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False)
    op.create_index(
        "uq_refunds_replaces",
        "refunds",
        ["replaces_id"],
        unique=True,
        postgresql_where=sa.text("replaces_id IS NOT NULL"),
        sqlite_where=sa.text("replaces_id IS NOT NULL"),
    )


def _create_rosters() -> None:
    op.create_table(
        "rosters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("doctor_id", sa.Uuid(), nullable=True),
        sa.Column("doctor_code", sa.String(), nullable=False),
        sa.Column("campus_id", sa.Uuid(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(32), nullable=False),
        sa.Column("starts", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column("clinic_type", sa.String(), nullable=False),
        sa.Column("fee_fen", sa.Integer(), nullable=False),
        sa.Column("segment_minutes", sa.Integer(), nullable=False),
        sa.Column("numbers_per_segment", sa.Integer(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["campus_id"], ["campuses.id"], name=op.f("fk_rosters_campus_id")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_rosters_department_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_rosters_doctor_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_rosters_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rosters")),
        sa.UniqueConstraint(
            "department_id",
            "doctor_code",
            "weekday",
            "period",
            "clinic_type",
            "starts",
            name=op.f("uq_rosters_department_id_doctor_code_weekday_period_clinic_type_starts"),
        ),
    )
    op.create_index(op.f("ix_rosters_hospital_id"), "rosters", ["hospital_id"], unique=False)
    op.create_index("ix_rosters_weekday", "rosters", ["weekday"], unique=False)


def _create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("campus_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("doctor_id", sa.Uuid(), nullable=True),
        sa.Column("doctor_code", sa.String(), nullable=False),
        sa.Column("visit_date", sa.Date(), nullable=False),
        sa.Column("period", sa.String(32), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clinic_type", sa.String(), nullable=False),
        sa.Column("fee_fen", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("release_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancel_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("terms", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("terms_version", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('open','closed','suspended')", name=op.f("ck_schedules_status")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_schedules_times")),
        sa.CheckConstraint("fee_fen >= 0", name=op.f("ck_schedules_fee")),
        sa.ForeignKeyConstraint(["campus_id"], ["campuses.id"], name=op.f("fk_schedules_campus_id")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_schedules_department_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_schedules_doctor_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_schedules_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint(
            "department_id",
            "doctor_code",
            "visit_date",
            "period",
            "clinic_type",
            "starts_at",
            name=op.f("uq_schedules_department_id_doctor_code_visit_date_period_clinic_type_starts_at"),
        ),
    )
    op.create_index("ix_schedules_department_day", "schedules", ["department_id", "visit_date"], unique=False)
    op.create_index("ix_schedules_hospital_day", "schedules", ["hospital_id", "visit_date"], unique=False)


def _create_slots() -> None:
    op.create_table(
        "slots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("withheld_reason", sa.String(32), nullable=True),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'withheld') = (withheld_reason IS NOT NULL)", name=op.f("ck_slots_withheld_reason")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_slots_hospital_id")),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_slots_schedule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slots")),
        sa.UniqueConstraint("schedule_id", "sequence", name=op.f("uq_slots_schedule_id_sequence")),
    )
    op.create_index("ix_slots_claim", "slots", ["schedule_id", "status", "sequence"], unique=False)


def _create_appointments() -> None:
    op.create_table(
        "appointments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("dependent_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("visit_date", sa.Date(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("awaiting_payment", sa.Boolean(), nullable=False),
        sa.Column("awaiting_hospital", sa.Boolean(), nullable=False),
        sa.Column("pay_mode", sa.String(32), nullable=False),
        sa.Column("payer_kind", sa.String(32), nullable=False),
        sa.Column("fee_fen", sa.Integer(), nullable=False),
        sa.Column("hold_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("terms", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("one_per_department_day", sa.Boolean(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("beside_replaced", sa.Boolean(), nullable=False),
        sa.Column("complaint_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("cancel_reason", sa.String(32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(awaiting_payment OR awaiting_hospital) = (status = 'pending') OR status = 'cancelled'",
            name=op.f("ck_appointments_awaiting"),
        ),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancel_reason IS NOT NULL)", name=op.f("ck_appointments_cancel_reason")
        ),
        sa.CheckConstraint("fee_fen >= 0", name=op.f("ck_appointments_fee")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_appointments_account_id")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("fk_appointments_charge_id")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_appointments_department_id")),
        sa.ForeignKeyConstraint(["dependent_id"], ["dependents.id"], name=op.f("fk_appointments_dependent_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_appointments_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_appointments_person_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["appointments.id"], name=op.f("fk_appointments_replaces_id")),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_appointments_schedule_id")),
        sa.ForeignKeyConstraint(["slot_id"], ["slots.id"], name=op.f("fk_appointments_slot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointments")),
        sa.UniqueConstraint("number", name=op.f("uq_appointments_number")),
    )
    op.create_index("ix_appointments_account", "appointments", ["account_id", "id"], unique=False)
    op.create_index("ix_appointments_pending", "appointments", ["status", "hold_expires_at"], unique=False)
    op.create_index("ix_appointments_person_day", "appointments", ["person_id", "visit_date"], unique=False)
    op.create_index("ix_appointments_schedule", "appointments", ["schedule_id"], unique=False)
    op.create_index(
        "uq_appointments_person_department_day",
        "appointments",
        ["person_id", "department_id", "visit_date"],
        unique=True,
        postgresql_where=sa.text(
            "status IN ('pending','booked','arrived') AND NOT beside_replaced AND one_per_department_day"
        ),
        sqlite_where=sa.text(
            "status IN ('pending','booked','arrived') AND NOT beside_replaced AND one_per_department_day"
        ),
    )
    op.create_index(
        "uq_appointments_person_schedule",
        "appointments",
        ["person_id", "schedule_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending','booked','arrived') AND NOT beside_replaced"),
        sqlite_where=sa.text("status IN ('pending','booked','arrived') AND NOT beside_replaced"),
    )
    op.create_index(
        "uq_appointments_slot",
        "appointments",
        ["slot_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending','booked','arrived','fulfilled','noshow')"),
        sqlite_where=sa.text("status IN ('pending','booked','arrived','fulfilled','noshow')"),
    )


def _create_charge_lines() -> None:
    op.create_table(
        "charge_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("leg", sa.String(32), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("legal_basis", sa.String(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_fen >= 0 OR kind = 'discount'", name=op.f("ck_charge_lines_amount")),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name=op.f("fk_charge_lines_appointment_id")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("fk_charge_lines_charge_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_charge_lines_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_lines")),
    )
    op.create_index(op.f("ix_charge_lines_appointment_id"), "charge_lines", ["appointment_id"], unique=False)
    op.create_index(op.f("ix_charge_lines_charge_id"), "charge_lines", ["charge_id"], unique=False)


def _create_hospital_claims() -> None:
    op.create_table(
        "hospital_claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("hospital_number", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointments.id"], name=op.f("fk_hospital_claims_appointment_id")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_hospital_claims_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hospital_claims")),
        sa.UniqueConstraint("appointment_id", name=op.f("uq_hospital_claims_appointment_id")),
    )


def _create_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("dedup", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_notices_account_id")),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name=op.f("fk_notices_appointment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("dedup", name=op.f("uq_notices_dedup")),
    )
    op.create_index("ix_notices_account", "notices", ["account_id", "id"], unique=False)


def _create_refund_lines() -> None:
    op.create_table(
        "refund_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("charge_line_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["charge_line_id"], ["charge_lines.id"], name=op.f("fk_refund_lines_charge_line_id")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_refund_lines_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_lines")),
        sa.UniqueConstraint("refund_id", "charge_line_id", name=op.f("uq_refund_lines_refund_id_charge_line_id")),
    )
    op.create_index(op.f("ix_refund_lines_charge_line_id"), "refund_lines", ["charge_line_id"], unique=False)


# In an order in which each refers only to those before it.
_TABLES: tuple[tuple[str, Callable[[], None]], ...] = (
    ("accounts", _create_accounts),
    ("audit_entries", _create_audit_entries),
    ("hospitals", _create_hospitals),
    ("jobs", _create_jobs),
    ("periodic_jobs", _create_periodic_jobs),
    ("persons", _create_persons),
    ("platform_events", _create_platform_events),
    ("platform_tokens", _create_platform_tokens),
    ("refused_events", _create_refused_events),
    ("state_events", _create_state_events),
    ("booking_policies", _create_booking_policies),
    ("campuses", _create_campuses),
    ("charges", _create_charges),
    ("departments", _create_departments),
    ("idempotency_keys", _create_idempotency_keys),
    ("person_identifiers", _create_person_identifiers),
    ("platform_identities", _create_platform_identities),
    ("dependents", _create_dependents),
    ("doctors", _create_doctors),
    ("login_sessions", _create_login_sessions),
    ("payments", _create_payments),
    ("consents", _create_consents),
    ("identity_checks", _create_identity_checks),
    ("refunds", _create_refunds),
    ("rosters", _create_rosters),
    ("schedules", _create_schedules),
    ("slots", _create_slots),
    ("appointments", _create_appointments),
    ("charge_lines", _create_charge_lines),
    ("hospital_claims", _create_hospital_claims),
    ("notices", _create_notices),
    ("refund_lines", _create_refund_lines),
)


def upgrade() -> None:
    for _, create in _TABLES:
        create()


def downgrade() -> None:
    for name, _ in reversed(_TABLES):
        op.drop_table(name)
