"""The human being who is seen, the documents that name them, and an account's right to book for them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id, word
from models.guardian import GuardianEvidence, GuardianRelation
from models.kinds import FULL_AGE, IdentityLevel, IdentityStatus, IdType, Relationship, Sex, age_on
from models.sealing import ERASED, KeyedHash, Vault

__all__ = [
    "FULL_AGE",
    "Dependent",
    "IdType",
    "IdentityLevel",
    "IdentityStatus",
    "Person",
    "PersonIdentifier",
    "Relationship",
    "Sex",
    "age_on",
]

_HOSPITAL_OFFSET = timedelta(hours=8)
"""Of the hospitals' day from the day in UTC: Asia/Shanghai knows no summer time."""
_BY_GUARDIAN = "guardian"
"""IdentityMethod.GUARDIAN, whose module imports this one's neighbours."""


class Person(Base):
    """One human being, whatever account or channel books. `alias_of_id` points at the row they were merged into, which
    is nobody's alias."""

    __tablename__ = "persons"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    alias_of_id: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"), index=True)
    created_at: Mapped[datetime]


class PersonIdentifier(Base):
    """A document of a person: kind and keyed hash to find it by, and what was hashed, sealed.

    That is the number as far as it tells persons apart (`core/dependents/persons.py`), and the same whichever account
    typed it: how the document of one account is printed stays with its dependent.
    """

    __tablename__ = "person_identifiers"
    __table_args__ = (UniqueConstraint("id_type", "number_hash_key", "number_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    id_type: Mapped[IdType] = mapped_column(word(IdType))
    number_hash: Mapped[bytes]
    number_hash_key: Mapped[int]
    number_sealed: Mapped[bytes]
    created_at: Mapped[datetime]

    @staticmethod
    def hashes(vault: Vault, id_type: IdType, number: str) -> list[KeyedHash]:
        return vault.keyed_hashes(f"person_identifier/{id_type}", number)

    def seal_number(self, vault: Vault, number: str, *, hash_key: int | None = None) -> None:
        """`hash_key` is the hashing key in use; without it the vault's own active one is meant."""
        wanted = vault.hashing.active if hash_key is None else hash_key
        digest = next(one for one in self.hashes(vault, self.id_type, number) if one.key_id == wanted)
        self.number_hash, self.number_hash_key = digest.digest, digest.key_id
        self.number_sealed = vault.seal("person_identifiers.number", self.id, number)

    def number(self, vault: Vault) -> str:
        return vault.open_text("person_identifiers.number", self.id, self.number_sealed)


class Dependent(Base):
    """An account's right to book for a person, with what this account typed about them. `self` is one too.

    Name, contact and identity level are this account's own: another account learns nothing from them. Where two
    accounts that were joined both had the person, one of the two is archived and points at the other.
    `country` is the one that issued the document, in ISO 3166 alpha-3; `id_expires_on` the last day it is good for.
    `id_number_sealed` is the number as printed, where the identifier has less or something else.
    `handed_over_at`: they came of age and took it over into an account of their own.
    `earlier_identifier_id` is what named them before another document came: a birth certificate, or a number that was
    corrected after a hospital had been told of it.
    """

    __tablename__ = "dependents"
    __table_args__ = (
        Index(
            "uq_dependents_live_person",
            "account_id",
            "person_id",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
            sqlite_where=text("archived_at IS NULL"),
        ),
        Index(
            "uq_dependents_live_self",
            "account_id",
            unique=True,
            postgresql_where=text("archived_at IS NULL AND relationship = 'self'"),
            sqlite_where=text("archived_at IS NULL AND relationship = 'self'"),
        ),
        Index(
            "uq_dependents_live_default",
            "account_id",
            unique=True,
            postgresql_where=text("archived_at IS NULL AND is_default"),
            sqlite_where=text("archived_at IS NULL AND is_default"),
        ),
        Index("ix_dependents_person_id", "person_id"),
        Index("ix_dependents_phone", "phone_hash"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    identifier_id: Mapped[UUID] = mapped_column(ForeignKey("person_identifiers.id"))
    relationship_: Mapped[Relationship] = mapped_column("relationship", word(Relationship))
    name_sealed: Mapped[bytes]
    name_masked: Mapped[str]
    id_type: Mapped[IdType] = mapped_column(word(IdType))
    sex: Mapped[Sex] = mapped_column(word(Sex))
    birth_date: Mapped[date]
    phone_sealed: Mapped[bytes]
    phone_hash: Mapped[bytes]
    phone_hash_key: Mapped[int]
    phone_masked: Mapped[str]
    region_code: Mapped[str | None]
    address_sealed: Mapped[bytes | None]
    guardian_dependent_id: Mapped[UUID | None] = mapped_column(ForeignKey("dependents.id"))
    is_default: Mapped[bool]
    identity_status: Mapped[IdentityStatus] = mapped_column(word(IdentityStatus))
    identity_level: Mapped[int]
    identity_method: Mapped[str | None]
    identity_checked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    merged_into_id: Mapped[UUID | None] = mapped_column(index=True)
    country: Mapped[str | None]
    id_expires_on: Mapped[date | None]
    id_number_sealed: Mapped[bytes | None]
    erase_after: Mapped[date | None] = mapped_column(index=True)
    earlier_identifier_id: Mapped[UUID | None]
    guardian_relation: Mapped[GuardianRelation | None] = mapped_column(word(GuardianRelation))
    guardian_evidence: Mapped[GuardianEvidence | None] = mapped_column(word(GuardianEvidence))
    guardian_evidence_number_sealed: Mapped[bytes | None]
    guardian_told_at: Mapped[datetime | None]
    guardian_confirmed_at: Mapped[datetime | None]
    guardian_confirmed_by: Mapped[str | None]
    handed_over_at: Mapped[datetime | None]
    phone_changed_at: Mapped[datetime | None]
    email_sealed: Mapped[bytes | None]
    insurance_number_sealed: Mapped[bytes | None]
    allergies_and_history_sealed: Mapped[bytes | None]
    identity_changed_at: Mapped[datetime | None]

    identifier: Mapped[PersonIdentifier] = relationship(lazy="raise_on_sql")

    def seal_name(self, vault: Vault, name: str, *, masked: str) -> None:
        self.name_sealed = vault.seal("dependents.name", self.id, name)
        self.name_masked = masked

    def name(self, vault: Vault) -> str:
        return vault.open_text("dependents.name", self.id, self.name_sealed)

    def seal_number(self, vault: Vault, number: str, *, identifying: str) -> None:
        """`number` as printed; it is kept here only where it is not what the identifier has."""
        self.id_number_sealed = None if number == identifying else vault.seal("dependents.id_number", self.id, number)

    def number(self, vault: Vault, identifier: PersonIdentifier) -> str:
        """The document's number as printed; empty where the kind has none. `identifier` is this dependent's."""
        if self.id_number_sealed is None:
            return identifier.number(vault)
        return vault.open_text("dependents.id_number", self.id, self.id_number_sealed)

    def seal_guardian_evidence(self, vault: Vault, number: str | None) -> None:
        sealed = None if number is None else vault.seal("dependents.guardian_evidence_number", self.id, number)
        self.guardian_evidence_number_sealed = sealed

    def note_guardianship(self, relation: GuardianRelation, evidence: GuardianEvidence, *, at: datetime) -> None:
        """What the guardian is to them, as it was told; nobody has confirmed it yet."""
        self.guardian_relation, self.guardian_evidence, self.guardian_told_at = relation, evidence, at
        self.guardian_confirmed_at = self.guardian_confirmed_by = None

    def confirm_guardianship(self, *, by: str, at: datetime) -> None:
        self.guardian_confirmed_at, self.guardian_confirmed_by = at, by

    def forget_guardianship(self) -> None:
        """Nothing of it is about the guardian there is now, if any."""
        self.guardian_relation = self.guardian_evidence = self.guardian_evidence_number_sealed = None
        self.guardian_told_at = self.guardian_confirmed_at = self.guardian_confirmed_by = None

    def seal_phone(self, vault: Vault, phone: str, *, masked: str) -> None:
        """`phone` in E.164."""
        digest = vault.keyed_hash("phone", phone)
        self.phone_hash, self.phone_hash_key = digest.digest, digest.key_id
        self.phone_sealed = vault.seal("dependents.phone", self.id, phone)
        self.phone_masked = masked

    def phone(self, vault: Vault) -> str:
        return vault.open_text("dependents.phone", self.id, self.phone_sealed)

    def seal_address(self, vault: Vault, address: str | None) -> None:
        self.address_sealed = None if address is None else vault.seal("dependents.address", self.id, address)

    @property
    def has_address(self) -> bool | None:
        """True, or nothing to be said."""
        return None if self.address_sealed is None else True

    def seal_email(self, vault: Vault, email: str | None) -> None:
        self.email_sealed = None if email is None else vault.seal("dependents.email", self.id, email)

    def email(self, vault: Vault) -> str | None:
        sealed = self.email_sealed
        return None if sealed is None else vault.open_text("dependents.email", self.id, sealed)

    def seal_insurance_number(self, vault: Vault, number: str | None) -> None:
        sealed = None if number is None else vault.seal("dependents.insurance_number", self.id, number)
        self.insurance_number_sealed = sealed

    def insurance_number(self, vault: Vault) -> str | None:
        sealed = self.insurance_number_sealed
        return None if sealed is None else vault.open_text("dependents.insurance_number", self.id, sealed)

    def seal_history(self, vault: Vault, said: str | None) -> None:
        """What the patient says of allergies and earlier illness."""
        sealed = None if said is None else vault.seal("dependents.allergies_and_history", self.id, said)
        self.allergies_and_history_sealed = sealed

    def history(self, vault: Vault) -> str | None:
        sealed = self.allergies_and_history_sealed
        return None if sealed is None else vault.open_text("dependents.allergies_and_history", self.id, sealed)

    def forget_contact(self) -> None:
        """All that nobody needs for a visit that has been: how they are reached, and what they told of themselves."""
        self.phone_sealed, self.phone_hash, self.phone_masked = ERASED, ERASED, ""
        self.forget_told()

    def forget_told(self) -> None:
        """What was told of them beside who they are and how they are reached."""
        self.region_code = self.address_sealed = self.email_sealed = None
        self.insurance_number_sealed = self.allergies_and_history_sealed = None

    def forget_identity(self) -> None:
        """Who it was is erased; an empty `name_masked` says so."""
        self.name_sealed, self.name_masked = ERASED, ""
        self.id_number_sealed = self.country = self.id_expires_on = self.earlier_identifier_id = None
        self.birth_date, self.erase_after = date(1900, 1, 1), None
        self.forget_guardianship()

    @property
    def is_erased(self) -> bool:
        """Whether `forget_identity` has been here."""
        return self.name_masked == ""

    def age(self, *, on: date) -> int:
        """Full years."""
        return age_on(self.birth_date, on)

    def level_on(self, day: date) -> int:
        """How sure we are of them on that day: a guardian's proof stands for a minor only."""
        if self.identity_method == _BY_GUARDIAN and self.age(on=day) >= FULL_AGE:
            return IdentityLevel.TYPED
        return self.identity_level

    def forget_guardians_proof(self) -> None:
        """Whoever stood in for them does so no more."""
        if self.identity_method == _BY_GUARDIAN:
            self.identity_status, self.identity_level = IdentityStatus.UNVERIFIED, IdentityLevel.TYPED
            self.identity_method = self.identity_checked_at = None

    def note_check_pending(self) -> None:
        """A check began. A standing proof is not lost by asking again."""
        if self.identity_status is not IdentityStatus.VERIFIED:
            self.identity_status = IdentityStatus.PENDING

    def note_check_passed(self, *, level: int, method: str, at: datetime) -> None:
        """A level once reached is never lowered by a weaker proof, nor is a proof of one's own replaced by a guardian's
        that is worth the same."""
        self.identity_status = IdentityStatus.VERIFIED
        stands = self.level_on((at + _HOSPITAL_OFFSET).date())
        own = self.identity_method not in (None, _BY_GUARDIAN)
        if level > stands or (level == stands and not (own and method == _BY_GUARDIAN)):
            self.identity_level, self.identity_method, self.identity_checked_at = level, method, at

    def note_other_document(self) -> None:
        """What was proven was proven of another document. A check that is open goes on with this one."""
        self.identity_level, self.identity_method, self.identity_checked_at = IdentityLevel.TYPED, None, None
        if self.identity_status is not IdentityStatus.PENDING:
            self.identity_status = IdentityStatus.UNVERIFIED

    def note_check_failed(self, *, expired: bool) -> None:
        if self.identity_status is not IdentityStatus.VERIFIED:
            self.identity_status = IdentityStatus.EXPIRED if expired else IdentityStatus.REJECTED
