"""The words for documents, relations and proofs, and how old somebody is."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class IdType(StrEnum):
    RESIDENT_ID = "resident_id"
    HMT_RESIDENCE_PERMIT = "hmt_residence_permit"
    HK_MACAO_PERMIT = "hk_macao_permit"
    TAIWAN_PERMIT = "taiwan_permit"
    FOREIGN_PERMANENT_RESIDENT = "foreign_permanent_resident"
    PASSPORT = "passport"
    BIRTH_CERTIFICATE = "birth_certificate"
    HOUSEHOLD_REGISTER = "household_register"
    OFFICER_CARD = "officer_card"
    GUARDIAN_BOUND = "guardian_bound"


class Relationship(StrEnum):
    SELF = "self"
    SPOUSE = "spouse"
    SON = "son"
    DAUGHTER = "daughter"
    GRANDCHILD = "grandchild"
    PARENT = "parent"
    GRANDPARENT = "grandparent"
    SIBLING = "sibling"
    OTHER = "other"


class Sex(StrEnum):
    MALE = "male"
    FEMALE = "female"


class IdentityStatus(StrEnum):
    UNVERIFIED = "unverified"
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"
    EXPIRED = "expired"


class IdentityLevel:
    """How sure we are of a dependent: what was typed, what was matched, who was present."""

    TYPED = 0
    MATCHED = 1
    PRESENT = 2


OWN_CONSENT_AGE = 14
"""From then on data about oneself is not a child's any more (PIPL 28, 31)."""
FULL_AGE = 18
"""Full years. Below it somebody is a minor (rules.md 1.2.1)."""


def age_on(born: date, on: date) -> int:
    """Full years (周岁), reached on the birthday itself."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
