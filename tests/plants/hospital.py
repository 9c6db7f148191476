"""What breaks the promises about numbers that a hospital gives out itself."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from models.appointment import Appointment, AppointmentStatus
from models.base import new_id
from models.hospital_claim import HospitalClaim, HospitalClaimStatus
from models.schedule import Slot, SlotStatus
from plants import World, change, clone, plant, quiet

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


def _confirmed_before_its_other(
    session: Session, world: World, *, claim: HospitalClaimStatus = HospitalClaimStatus.HELD, **other: object
) -> None:
    """One of a bundle, and how the claim of the other one stands."""
    _awaited(session, world, status=HospitalClaimStatus.CONFIRMED)
    facts = {"person_id": new_id(), "slot_id": new_id(), "schedule_id": new_id()} | other
    beside = clone(session, Appointment, world.held, **facts)
    clone(session, HospitalClaim, world.claim, appointment_id=beside, status=claim)


for _open in (HospitalClaimStatus.NONE, HospitalClaimStatus.HELD, HospitalClaimStatus.UNKNOWN):
    quiet("hospital_is_awaited_by_its_claim")(partial(_confirmed_before_its_other, claim=_open))
plant("hospital_is_awaited_by_its_claim")(partial(_confirmed_before_its_other, claim=HospitalClaimStatus.CONFIRMED))
plant("hospital_is_awaited_by_its_claim")(partial(_confirmed_before_its_other, charge_id=new_id()))
plant("hospital_is_awaited_by_its_claim")(partial(_confirmed_before_its_other, claim=HospitalClaimStatus.REFUSED))
for _not_awaited in (
    {"beside_replaced": True},
    {"awaiting_hospital": False},
    {"status": AppointmentStatus.CANCELLED},
):
    plant("hospital_is_awaited_by_its_claim")(partial(_confirmed_before_its_other, **_not_awaited))


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
