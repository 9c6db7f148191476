"""The finance ministry's electronic receipts (医疗收费电子票据) of payments, and the red ones that end them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id
from models.sealing import ERASED, Vault


class Receipt(Base):
    """One receipt as the hospital issued it; a row is never changed, but for what is erased of it, and taken out only
    where it was kept under a wrong appointment. A blue one stands until a red one `reddens` it, whole. Code and number
    are on every list of the hospital's; with the check code or the link as well anybody reads whom it was issued to, so
    those two are sealed, and erased with the patient."""

    __tablename__ = "receipts"
    __table_args__ = (
        UniqueConstraint("code", "number"),
        CheckConstraint("amount_fen <> 0 AND (reddens_id IS NULL) = (amount_fen > 0)", name="amount"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    charge_id: Mapped[UUID] = mapped_column(ForeignKey("charges.id"), index=True)
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"), index=True)
    code: Mapped[str]
    number: Mapped[str]
    check_code_sealed: Mapped[bytes]
    url_sealed: Mapped[bytes | None]
    amount_fen: Mapped[int]
    issued_on: Mapped[date]
    reddens_id: Mapped[UUID | None] = mapped_column(ForeignKey("receipts.id"), unique=True)
    kept_at: Mapped[datetime]

    @property
    def is_red(self) -> bool:
        return self.reddens_id is not None

    @property
    def is_erased(self) -> bool:
        """What opens it is gone, since its patient is."""
        return self.check_code_sealed == ERASED

    def seal_what_opens_it(self, vault: Vault, *, check_code: str, url: str | None) -> None:
        self.check_code_sealed = vault.seal("receipts.check_code", self.id, check_code)
        self.url_sealed = None if url is None else vault.seal("receipts.url", self.id, url)

    def check_code(self, vault: Vault) -> str | None:
        """None where it was erased. Raises: SealBroken."""
        return None if self.is_erased else vault.open_text("receipts.check_code", self.id, self.check_code_sealed)

    def url(self, vault: Vault) -> str | None:
        """None where there is none. Raises: SealBroken."""
        return None if self.url_sealed is None else vault.open_text("receipts.url", self.id, self.url_sealed)
