"""The tables. Importing this package registers every one of them with `Base.metadata`."""

from models import (
    account,
    account_join,
    appointment,
    audit,
    charge,
    hospital,
    idempotency,
    identity_check,
    job,
    notice,
    page_login,
    payment,
    person,
    platform,
    policy,
    schedule,
    states,
)
from models.base import Base

__all__ = [
    "Base",
    "account",
    "account_join",
    "appointment",
    "audit",
    "charge",
    "hospital",
    "idempotency",
    "identity_check",
    "job",
    "notice",
    "page_login",
    "payment",
    "person",
    "platform",
    "policy",
    "schedule",
    "states",
]
