"""What a patient asks for, as far as it can be judged by the schedule alone."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from core.booking.tariff import Price
from core.booking.terms import Terms
from core.payments.insurance import OFFERED
from core.refusals import FeeChanged
from models.account import Provider
from models.appointment import PayerKind, PayMode
from models.errors import FieldError, ValidationFailed


@dataclass(frozen=True)
class Wish:
    """What a patient asks for, the booking notice that they have read, and the way of the login that asks."""

    schedule_id: UUID
    dependent_id: UUID
    pay: PayMode
    segment_starts_at: datetime | None = None
    payer_kind: PayerKind = PayerKind.SELF_PAY
    expected_fee_fen: int | None = None
    complaint: str | None = field(default=None, repr=False)
    visit_card_id: UUID | None = None
    booked_through: Provider | None = None
    notice_version: str | None = None

    @property
    def told(self) -> str | None:
        """What the patient comes for, as it is kept; None where nothing was said."""
        return unicodedata.normalize("NFC", (self.complaint or "").strip()) or None

    def pays_online(self, price: Price) -> bool:
        """Whether the number is only held until the fee is paid."""
        return self.pay is PayMode.ONLINE and price.due_fen > 0

    def refuse_unless_offered(self, terms: Terms) -> None:
        """Raises: ValidationFailed."""
        if str(self.pay) not in terms.pay_modes:
            raise ValidationFailed(FieldError("#/pay", "not_offered"))
        if self.payer_kind not in OFFERED:
            raise ValidationFailed(FieldError("#/payer_kind", "not_offered"))

    def refuse_other_price(self, price: Price) -> None:
        """Who saw the fee of the half day, which is the same for everybody, may pay less. Raises: FeeChanged."""
        if self.expected_fee_fen not in {None, price.list_fen, price.due_fen}:
            raise FeeChanged(fee_fen=price.due_fen)
