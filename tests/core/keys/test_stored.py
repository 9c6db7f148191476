"""Nobody seals or hashes into a column that rotation does not know."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import LargeBinary

from core.keys.stored import STORED
from models import Base

ROOT = Path(__file__).resolve().parents[3]
# Digests of what is random or of what was sent, under no key; a proof is made anew with its key.
NOT_SEALED = {
    "bill_days.digest", "handoffs.code_hash", "login_sessions.token_hash", "page_login_attempts.browser_hash",
    "page_login_attempts.state_hash", "platform_events.digest", "vault_keys.proof",
    "idempotency_keys.fingerprint",  # under a key, and gone after seven days
    "code_gates.subject_hash", "phone_codes.code_hash", "phone_codes.net_hash", "phone_codes.phone_hash",  # after a day
    "grants.code_hash",  # good for half an hour
    "refund_decisions.card_hash",  # gone with the second person's word, or after three days
}  # fmt: skip
NOT_STORED = {"health.probe", "vault_keys.proof"}


def name(column: object) -> str:
    return str(column)


def test_every_column_of_bytes_is_rotated_or_said_to_need_none() -> None:
    bytes_there = {
        name(column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    sealed = {name(one.column) for stored in STORED for one in stored.sealed}
    hashed = {name(one.column) for stored in STORED for one in stored.hashed}
    assert not (sealed & hashed) | (NOT_SEALED & (sealed | hashed))
    assert bytes_there - sealed - hashed == NOT_SEALED


def test_every_column_that_says_sealed_is_rotated_whatever_its_type() -> None:
    said = {
        name(column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if "sealed" in column.name or (table.name, column.name) == ("identity_checks", "evidence")
    }
    assert said <= {name(one.column) for stored in STORED for one in stored.sealed}


def test_every_hash_that_names_its_key_is_made_anew() -> None:
    with_key = {
        name(column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_hash_key")
    }
    assert with_key == {name(one.key_column) for stored in STORED for one in stored.hashed}


def test_every_purpose_that_something_is_sealed_under_is_one_that_rotation_opens() -> None:
    """A purpose is the table and the column; one that is called otherwise would not open when its turn comes."""
    found = {(purpose, path.name) for path in sources() for purpose in purposes(ast.parse(path.read_text()))}
    known = {one.purpose for stored in STORED for one in stored.sealed}
    assert {purpose for purpose, _ in found} - NOT_STORED == known


def sources() -> Iterator[Path]:
    for room in ("core", "models", "miniapp_api"):
        yield from (ROOT / room).rglob("*.py")


def purposes(module: ast.Module) -> Iterator[str]:
    """The first argument of every `….seal(…)` with more than one, looked up where it is a constant of the module."""
    constants = {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "seal":
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value)
            elif isinstance(first, ast.Name):
                yield str(constants[first.id])
            else:
                assert ast.unparse(first) == "self.purpose"  # core/keys/stored.py itself
