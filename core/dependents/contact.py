"""How a dependent is reached, and where they live: what the account may change at any time."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core.dependents.fields import Fields
from core.dependents.phones import masked_phone, read_phone
from core.dependents.regions import is_known_region
from core.dependents.typed import InputFault
from core.identity.own import own_dependent
from core.locks import lock_account, lock_dependent
from core.refusals import IdentityFrozen
from models.errors import FieldError, ValidationFailed
from models.person import Dependent, IdentityLevel
from models.sealing import Vault

ADDRESS_MAX = 200
CONTACT_FIELDS = ("phone", "address", "region_code")


@dataclass(frozen=True)
class Change:
    """What is to be different: contact fields by name, and the identity fields that somebody tried to change."""

    contact: Mapping[str, Any] = field(repr=False)
    identity: tuple[str, ...] = ()


def change_contact(
    session: Session, *, account_id: UUID, dependent_id: UUID, change: Change, vault: Vault
) -> Dependent:
    """Write new contact data; null takes address or region away.

    Identity fields never change here: once matched they are frozen, and before that the dependent is added anew.
    Raises: NotFound, IdentityFrozen, ValidationFailed.
    """
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    dependent = lock_dependent(session, dependent_id)
    if change.identity and dependent.identity_level >= IdentityLevel.MATCHED:
        raise IdentityFrozen(fields=list(change.identity))
    if change.identity:
        raise ValidationFailed(*(FieldError(f"#/{name}", "not_changeable") for name in change.identity))
    write_contact(dependent, read_contact(change.contact), vault)
    session.flush()
    return dependent


def read_contact(typed: Mapping[str, Any], fields: Fields | None = None) -> dict[str, str | None]:
    """The given fields in the form to store; faults go to `fields`, or are raised at once without it.

    Raises: ValidationFailed."""
    faults = fields or Fields()
    readers = {"phone": read_phone, "address": read_address, "region_code": read_region}
    read = {
        name: None if typed[name] is None else faults.read(name, readers[name], typed[name])
        for name in CONTACT_FIELDS
        if name in typed
    }
    if fields is None:
        faults.done()
    return read


def write_contact(dependent: Dependent, contact: Mapping[str, str | None], vault: Vault) -> None:
    """Seal what `read_contact` made of it; a phone is changed but never taken away."""
    phone = contact.get("phone")
    if phone is not None:
        dependent.seal_phone(vault, phone, masked=masked_phone(phone))
    if "address" in contact:
        dependent.seal_address(vault, contact["address"])
    if "region_code" in contact:
        dependent.region_code = contact["region_code"]


def read_address(typed: str) -> str:
    """NFC, without outer blanks. Raises: InputFault."""
    address = unicodedata.normalize("NFC", typed.strip())
    if not address:
        raise InputFault("empty")
    if len(address) > ADDRESS_MAX:
        raise InputFault("too_long")
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in address):
        raise InputFault("control_characters")
    return address


def read_region(typed: str) -> str:
    """Raises: InputFault."""
    if not is_known_region(typed):
        raise InputFault("unknown_region")
    return typed
