"""The cards that hospitals gave a dependent (就诊卡)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id
from models.sealing import Vault

CARD_HASH = "hospital_card"


class HospitalCard(Base):
    """One card of one dependent at one hospital. Of several at one hospital one is current (rules.md 1.5.3).

    `number_hash` tells that a card is there already, to whoever holds the account's lock. The row names no account: a
    card is whoever's the dependent is.
    """

    __tablename__ = "hospital_cards"
    __table_args__ = (
        Index(
            "uq_hospital_cards_current",
            "dependent_id",
            "hospital_id",
            unique=True,
            postgresql_where=text("is_current"),
            sqlite_where=text("is_current"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    dependent_id: Mapped[UUID] = mapped_column(ForeignKey("dependents.id"), index=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    number_sealed: Mapped[bytes]
    number_hash: Mapped[bytes]
    number_hash_key: Mapped[int]
    is_current: Mapped[bool]
    created_at: Mapped[datetime]

    def seal_number(self, vault: Vault, number: str) -> None:
        digest = vault.keyed_hash(CARD_HASH, number)
        self.number_hash, self.number_hash_key = digest.digest, digest.key_id
        self.number_sealed = vault.seal("hospital_cards.number", self.id, number)

    def number(self, vault: Vault) -> str:
        return vault.open_text("hospital_cards.number", self.id, self.number_sealed)
