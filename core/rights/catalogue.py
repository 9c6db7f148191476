"""The catalogue of data: a grade for every column of every table (Data Security Act 21, rules.md L-20).

Grades are given column by column. Where a table names a grade for the rest, that is for its ids, instants, numbers and
closed words: whatever holds free text, documents or bytes in a table about people is named by itself, and a test says
so of each that is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Column

from models import Base


class Grade(StrEnum):
    GENERAL = "general"
    """Public, or of the machinery: of nobody."""
    PERSONAL = "personal"
    """Of somebody, and harmless by itself or masked. It names people only together with what is sealed."""
    SENSITIVE = "sensitive"
    """What PIPL 28 means, whatever proves an identity or opens an account: sealed, or kept as a digest."""
    IMPORTANT = "important"
    """Harmless row by row; in bulk the health of a population, which regulators may call important data."""


@dataclass(frozen=True)
class Graded:
    """The columns of one table by grade; what is not named has the grade `rest`."""

    rest: Grade
    named: Mapping[Grade, frozenset[str]]

    def grade(self, column: str) -> Grade:
        return next((grade for grade, columns in self.named.items() if column in columns), self.rest)


def _of(rest: Grade, *, general: str = "", personal: str = "", sensitive: str = "", important: str = "") -> Graded:
    words = {
        Grade.GENERAL: general,
        Grade.PERSONAL: personal,
        Grade.SENSITIVE: sensitive,
        Grade.IMPORTANT: important,
    }
    return Graded(rest, {grade: frozenset(columns.split()) for grade, columns in words.items() if columns})


GENERAL, PERSONAL = Grade.GENERAL, Grade.PERSONAL

CATALOGUE: Mapping[str, Graded] = {
    "account_joins": _of(PERSONAL, personal="phone_masked carried"),
    "accounts": _of(PERSONAL, personal="phone_masked", sensitive="phone_sealed phone_hash"),
    "agreements": _of(PERSONAL, general="version", personal="witnessed_by"),
    "appointments": _of(
        PERSONAL,
        general="number terms hospital_system notice_version",
        sensitive="complaint_sealed",
        important="person_id department_id hospital_id visit_date",
    ),
    "arrivals": _of(PERSONAL, important="hospital_id schedule_id at"),
    "audit_entries": _of(PERSONAL, general="action purpose result", personal="actor subject facts"),
    "bill_days": _of(GENERAL),
    "bill_differences": _of(
        PERSONAL, general="provider merchant entry ended_as", personal="number facts first_by second_by why"
    ),
    "bill_lines": _of(
        PERSONAL,
        general="kind currency state",
        personal="out_trade_no platform_trade_no out_refund_no platform_refund_no",
    ),
    "bill_returns": _of(
        PERSONAL,
        general="provider merchant currency last_refusal outcome",
        personal="out_trade_no out_refund_no why first_by second_by",
    ),
    "booking_policies": _of(GENERAL),
    "calendar_days": _of(GENERAL),
    "booking_signals": _of(PERSONAL, personal="facts cleared_by cleared_why"),
    "campuses": _of(GENERAL),
    "charge_lines": _of(PERSONAL, general="legal_basis"),
    "charges": _of(PERSONAL, general="currency"),
    "code_gates": _of(PERSONAL, general="kind", sensitive="subject_hash"),
    "consents": _of(PERSONAL, general="version"),
    "departments": _of(GENERAL),
    "dependents": _of(
        PERSONAL,
        personal="name_masked phone_masked region_code country identity_method guardian_confirmed_by",
        sensitive="name_sealed phone_sealed phone_hash address_sealed id_number_sealed email_sealed "
        "insurance_number_sealed allergies_and_history_sealed guardian_evidence_number_sealed",
    ),
    "doctors": _of(GENERAL),
    "grants": _of(PERSONAL, sensitive="code_hash"),
    "handoffs": _of(PERSONAL, sensitive="code_hash"),
    "hospital_cards": _of(PERSONAL, sensitive="number_sealed number_hash"),
    "hospital_claims": _of(PERSONAL, general="refusal", personal="hospital_number"),
    "hospitals": _of(GENERAL),
    "idempotency_keys": _of(PERSONAL, general="key step", sensitive="fingerprint reply_sealed"),
    "identity_checks": _of(
        PERSONAL,
        general="app reason matched",
        personal="out_seq_no checked_by request_id",
        sensitive="reference_sealed evidence",
    ),
    "jobs": _of(GENERAL),
    "journals": _of(PERSONAL, general="channel merchant currency"),
    "key_rotations": _of(GENERAL),
    "ledger_entries": _of(PERSONAL),
    "login_sessions": _of(PERSONAL, sensitive="token_hash"),
    "not_me_reports": _of(PERSONAL),
    "notices": _of(PERSONAL, general="reason dedup"),
    "offers": _of(PERSONAL),
    "page_login_attempts": _of(PERSONAL, general="app target", sensitive="state_hash browser_hash"),
    "payments": _of(
        PERSONAL,
        general="channel app merchant currency description received_currency funding",
        personal="out_trade_no platform_trade_no",
    ),
    "periodic_jobs": _of(GENERAL),
    "person_identifiers": _of(PERSONAL, sensitive="number_hash number_sealed"),
    "persons": _of(PERSONAL),
    "phone_codes": _of(
        PERSONAL, general="purpose provider provider_number", sensitive="phone_hash net_hash code_hash"
    ),
    "platform_events": _of(
        PERSONAL, general="provider merchant event_id kind outcome digest", personal="headers", sensitive="body"
    ),
    "platform_identities": _of(PERSONAL, general="app", sensitive="subject_hash subject_sealed"),
    "platform_tokens": _of(GENERAL, sensitive="token_sealed"),
    "receipts": _of(PERSONAL, personal="code number", sensitive="check_code_sealed url_sealed"),
    "refund_decisions": _of(PERSONAL, general="way", personal="why first_by second_by", sensitive="card_hash"),
    "refund_lines": _of(PERSONAL),
    "refund_paces": _of(GENERAL),
    "refusal_counts": _of(GENERAL),
    "refunds": _of(
        PERSONAL, general="last_refusal", personal="out_refund_no platform_refund_no received_account"
    ),
    "refused_events": _of(PERSONAL, general="provider merchant reason", personal="headers", sensitive="body"),
    "rosters": _of(GENERAL),
    "schedule_changes": _of(GENERAL),
    "schedules": _of(GENERAL),
    "shipping_reports": _of(PERSONAL, general="last_refusal"),
    "slots": _of(GENERAL),
    "state_events": _of(
        PERSONAL, general="from_status to_status reason", personal="actor_id cause_id facts"
    ),
    "strike_appeals": _of(PERSONAL, sensitive="text_sealed answer_sealed"),
    "strikes": _of(PERSONAL, personal="evidence", important="hospital_id person_id at"),
    "vault_keys": _of(GENERAL),
    "waitlist_entries": _of(PERSONAL, personal="doctor_ids periods"),
    "waitlist_places": _of(PERSONAL, personal="skipped_why", important="person_id hospital_id"),
}  # fmt: skip


def grades() -> Iterator[tuple[Column[object], Grade]]:
    """Every column with its grade. Raises: KeyError for a table that the catalogue does not know."""
    for table in sorted(Base.metadata.tables.values(), key=lambda one: one.name):
        for column in table.columns:
            yield column, CATALOGUE[table.name].grade(column.name)


def listing() -> str:
    """The catalogue as a table for people to read."""
    rows = [f"| {column.table.name} | {column.name} | {grade} |" for column, grade in grades()]
    return "\n".join(["| table | column | grade |", "|---|---|---|", *rows])
