"""The same claim in the hospital's own system, with its own machine."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, new_id, word
from models.states import Cause, Machine, Stateful

LONGEST_CALL = timedelta(seconds=30)
"""No call to a hospital is under way for longer: afterwards nobody waits for its answer."""


class HospitalClaimStatus(StrEnum):
    NONE = "none"
    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class ClaimStep(StrEnum):
    """What a hospital is called for."""

    HOLD = "hold"
    CONFIRM = "confirm"
    RELEASE = "release"
    ASK = "ask"


class HospitalClaim(Stateful, Base):
    """The claim in the hospital's own system. Hospitals without one have no row here, which reads as `none`.

    `calling` is what the hospital is being called for since `called_at`; `called_times` counts the calls, so that an
    answer which comes after another call is known as late. `refusal` is why the hospital said no, the last time it did.
    """

    __tablename__ = "hospital_claims"
    __table_args__ = (UniqueConstraint("appointment_id"),)

    machine = Machine.HOSPITAL_CLAIM
    moves = {  # noqa: RUF012
        HospitalClaimStatus.NONE: frozenset(
            {
                HospitalClaimStatus.HELD,
                HospitalClaimStatus.CONFIRMED,
                HospitalClaimStatus.REFUSED,
                HospitalClaimStatus.UNKNOWN,
            }
        ),
        HospitalClaimStatus.HELD: frozenset(
            {
                HospitalClaimStatus.CONFIRMED,
                HospitalClaimStatus.RELEASED,
                HospitalClaimStatus.REFUSED,
                HospitalClaimStatus.UNKNOWN,
            }
        ),
        HospitalClaimStatus.CONFIRMED: frozenset({HospitalClaimStatus.RELEASED, HospitalClaimStatus.UNKNOWN}),
        HospitalClaimStatus.UNKNOWN: frozenset(
            {
                HospitalClaimStatus.NONE,
                HospitalClaimStatus.HELD,
                HospitalClaimStatus.CONFIRMED,
                HospitalClaimStatus.RELEASED,
                HospitalClaimStatus.REFUSED,
            }
        ),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointments.id"))
    status: Mapped[HospitalClaimStatus] = mapped_column(word(HospitalClaimStatus))
    moved: Mapped[int]
    hospital_number: Mapped[str | None]
    created_at: Mapped[datetime]
    calling: Mapped[ClaimStep | None] = mapped_column(word(ClaimStep))
    called_at: Mapped[datetime | None]
    called_times: Mapped[int | None]
    refusal: Mapped[str | None]
    kept: Mapped[bool | None]

    @property
    def calls(self) -> int:
        return self.called_times or 0

    @property
    def was_kept(self) -> bool:
        """The hospital would not give the number back: the visit has begun there."""
        return bool(self.kept)

    @property
    def is_over(self) -> bool:
        """Nothing of it is left at the hospital, or ever will be; or the hospital keeps it."""
        never_sent = self.status is HospitalClaimStatus.NONE and self.calls == 0
        return never_sent or self.was_kept or self.status in {HospitalClaimStatus.RELEASED, HospitalClaimStatus.REFUSED}

    def call_ends_at(self, *, now: datetime) -> datetime | None:
        """When a call that is under way will be over at the latest, None where none is."""
        if self.calling is None or self.called_at is None or now >= self.called_at + LONGEST_CALL:
            return None
        return self.called_at + LONGEST_CALL

    def begin_call(self, step: ClaimStep, *, at: datetime) -> None:
        self.calling, self.called_at, self.called_times = step, at, self.calls + 1

    def end_call(self) -> None:
        self.calling = None

    def hold(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The hospital keeps the number for the patient."""
        self.enter(session, HospitalClaimStatus.HELD, at=at, cause=cause)

    def confirm(self, session: Session, *, number: str | None, at: datetime, cause: Cause) -> None:
        """The number is the patient's there, too."""
        self.enter(session, HospitalClaimStatus.CONFIRMED, at=at, cause=cause)
        self.hospital_number = number

    def refuse(self, session: Session, *, reason: str, at: datetime, cause: Cause) -> None:
        """The hospital will not have it."""
        self.enter(session, HospitalClaimStatus.REFUSED, at=at, cause=cause, reason=reason)
        self.refusal = reason

    def release(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The hospital has its number back."""
        self.enter(session, HospitalClaimStatus.RELEASED, at=at, cause=cause)

    def lost_sight(self, session: Session, *, at: datetime, cause: Cause, reason: str) -> None:
        """Something was asked of the hospital, and nobody knows whether it did it. Known already, nothing changes."""
        if self.status is not HospitalClaimStatus.UNKNOWN:
            self.enter(session, HospitalClaimStatus.UNKNOWN, at=at, cause=cause, reason=reason)

    def never_arrived(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The hospital has not heard of it."""
        self.enter(session, HospitalClaimStatus.NONE, at=at, cause=cause)
