"""L-20: no column without a grade, and nothing sensitive in clear."""

from __future__ import annotations

import re

from sqlalchemy import Enum, LargeBinary, String

from core.keys.stored import STORED
from core.rights.catalogue import CATALOGUE, Grade, grades
from models import Base
from models.base import Document

DIGESTS = {
    "refund_decisions.card_hash",
    "code_gates.subject_hash", "grants.code_hash", "handoffs.code_hash", "idempotency_keys.fingerprint",
    "login_sessions.token_hash",
    "page_login_attempts.browser_hash", "page_login_attempts.state_hash", "phone_codes.code_hash",
    "phone_codes.net_hash", "phone_codes.phone_hash",
}  # fmt: skip
"""Under a key, or of what is random; tests/core/keys/test_stored.py says which."""
LOOKS_SENSITIVE = re.compile(
    r"(^|_)(name|number|phone|address|email|insurance|allerg|history|complaint|token|secret|openid|subject|code)(_|$)"
)
CLEAR = frozenset(
    {
        "appointments.number", "audit_entries.subject", "dependents.name_masked", "dependents.phone_masked",
        "account_joins.phone_masked", "accounts.phone_masked", "bill_differences.number", "dependents.region_code",
        "hospital_claims.hospital_number", "phone_codes.provider_number", "receipts.code", "receipts.number",
    }
)  # fmt: skip
"""What is called so and is none of it: masks of names and phones, numbers of ours, words of platforms; what
stands on every list of a hospital."""


def test_l_20_the_catalogue_knows_every_table_and_no_other() -> None:
    assert CATALOGUE.keys() == Base.metadata.tables.keys()


def test_l_20_what_is_named_is_there_and_once() -> None:
    for table, graded in CATALOGUE.items():
        named = [column for columns in graded.named.values() for column in columns]
        assert len(named) == len(set(named)), table
        assert set(named) <= set(Base.metadata.tables[table].columns.keys()), table


def test_l_20_every_column_has_a_grade() -> None:
    every = {f"{column}" for table in Base.metadata.sorted_tables for column in table.columns}
    assert {f"{column}" for column, _ in grades()} == every


def test_l_20_text_and_bytes_about_people_are_graded_one_by_one() -> None:
    """An id or a day says nothing by itself; free text may say anything."""
    by_itself = [
        f"{column}"
        for table, graded in CATALOGUE.items()
        if graded.rest is not Grade.GENERAL
        for column in Base.metadata.tables[table].columns
        if isinstance(column.type, String | LargeBinary | Document) and not isinstance(column.type, Enum)
        if not any(column.name in columns for columns in graded.named.values())
    ]
    assert by_itself == []


def test_l_20_every_sensitive_column_is_sealed_or_a_digest() -> None:
    sealed = {f"{one.column}" for stored in STORED for one in stored.sealed}
    hashed = {f"{one.column}" for stored in STORED for one in stored.hashed}
    sensitive = {f"{column}" for column, grade in grades() if grade is Grade.SENSITIVE}
    assert sensitive - sealed - hashed == DIGESTS
    assert sealed | hashed <= sensitive


def test_l_20_nothing_about_people_that_is_called_a_secret_is_graded_lower() -> None:
    doubtful = {
        f"{column}"
        for column, grade in grades()
        if grade in (Grade.GENERAL, Grade.PERSONAL)
        and CATALOGUE[column.table.name].rest is not Grade.GENERAL
        and isinstance(column.type, String)
        and LOOKS_SENSITIVE.search(column.name)
    }
    assert doubtful <= CLEAR
