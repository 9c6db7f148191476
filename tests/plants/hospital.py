"""What breaks the promises about numbers that a hospital gives out itself."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from models.appointment import Appointment
from models.hospital_claim import HospitalClaim, HospitalClaimStatus
from models.schedule import Slot, SlotStatus
from plants import World, change, plant, quiet

LEFT_THERE = (HospitalClaimStatus.HELD, HospitalClaimStatus.CONFIRMED, HospitalClaimStatus.UNKNOWN)


@plant("hospital_is_awaited_by_its_claim")
def _awaited_and_never_asked(session: Session, world: World) -> None:
    change(session, Appointment, world.held, awaiting_hospital=True)


def _awaited(session: Session, world: World, *, status: HospitalClaimStatus) -> None:
    change(session, Appointment, world.held, awaiting_hospital=True)
    change(session, HospitalClaim, world.claim, appointment_id=world.held, status=status)


for _ended in (HospitalClaimStatus.CONFIRMED, HospitalClaimStatus.REFUSED, HospitalClaimStatus.RELEASED):
    plant("hospital_is_awaited_by_its_claim")(partial(_awaited, status=_ended))
for _open in (HospitalClaimStatus.NONE, HospitalClaimStatus.HELD, HospitalClaimStatus.UNKNOWN):
    quiet("hospital_is_awaited_by_its_claim")(partial(_awaited, status=_open))


def _booked_there(session: Session, world: World, *, status: HospitalClaimStatus) -> None:
    change(session, Appointment, world.paid, hospital_system="his")
    change(session, HospitalClaim, world.claim, appointment_id=world.paid, status=status)


for _no in set(HospitalClaimStatus) - {HospitalClaimStatus.CONFIRMED}:
    plant("booked_number_is_confirmed_there")(partial(_booked_there, status=_no))
quiet("booked_number_is_confirmed_there")(partial(_booked_there, status=HospitalClaimStatus.CONFIRMED))


def _sold_again(session: Session, world: World, *, status: HospitalClaimStatus, slot: SlotStatus) -> None:
    change(session, HospitalClaim, world.claim, appointment_id=world.cancelled, status=status)
    why = "closing" if slot is SlotStatus.WITHHELD else None
    change(session, Slot, world.of(session, Slot, world.cancelled), status=slot, withheld_reason=why)


for _left in LEFT_THERE:
    for _on_sale in (SlotStatus.FREE, SlotStatus.HELD, SlotStatus.BOOKED):
        plant("number_comes_back_last")(partial(_sold_again, status=_left, slot=_on_sale))
    quiet("number_comes_back_last")(partial(_sold_again, status=_left, slot=SlotStatus.WITHHELD))
quiet("number_comes_back_last")(partial(_sold_again, status=HospitalClaimStatus.RELEASED, slot=SlotStatus.FREE))


def _open_for(session: Session, world: World, *, hours: int, status: HospitalClaimStatus, awaited: bool) -> None:
    change(session, HospitalClaim, world.claim, appointment_id=world.held, status=status)
    created = world.now - timedelta(hours=hours)
    change(session, Appointment, world.held, created_at=created, awaiting_hospital=awaited)


plant("hospital_claim_is_settled")(partial(_open_for, hours=27, status=HospitalClaimStatus.UNKNOWN, awaited=False))
plant("hospital_claim_is_settled")(partial(_open_for, hours=27, status=HospitalClaimStatus.HELD, awaited=True))
quiet("hospital_claim_is_settled")(partial(_open_for, hours=25, status=HospitalClaimStatus.UNKNOWN, awaited=True))
