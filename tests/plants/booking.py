"""What breaks the promises about numbers, persons, holds and who owns what."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import insert, literal_column
from sqlalchemy.orm import Session

from models.account import PlatformIdentity
from models.agreement import Agreement
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.base import new_id
from models.charge import Charge
from models.identity_check import IdentityCheck
from models.job import Job
from models.offer import Offer, OfferStatus
from models.payment import Payment, PaymentStatus
from models.person import Dependent, Person
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus, Surplus, WithheldReason
from models.schedule_change import ChangeKind, ScheduleChange
from models.states import StateEvent
from plants import World, any_id, change, clone, plant, quiet, read_row

HOLDING = (
    AppointmentStatus.PENDING,
    AppointmentStatus.BOOKED,
    AppointmentStatus.ARRIVED,
    AppointmentStatus.FULFILLED,
    AppointmentStatus.NOSHOW,
)


# --- numbers


def _two_on_one_slot(session: Session, world: World, *, status: AppointmentStatus) -> None:
    change(session, Appointment, world.paid, status=status)
    clone(session, Appointment, world.paid, person_id=new_id())


for _status in HOLDING:
    plant("slot_has_one_appointment")(partial(_two_on_one_slot, status=_status))


@quiet("slot_has_one_appointment")
def _one_of_two_is_cancelled(session: Session, world: World) -> None:
    clone(session, Appointment, world.paid, person_id=new_id(), status=AppointmentStatus.CANCELLED)


def _slot_says(session: Session, world: World, *, of: str, status: SlotStatus) -> None:
    change(session, Slot, world.of(session, Slot, getattr(world, of)), status=status)


for _of, _wrong in (("paid", SlotStatus.HELD), ("paid", SlotStatus.FREE), ("held", SlotStatus.BOOKED)):
    plant("slot_agrees_with_appointment")(partial(_slot_says, of=_of, status=_wrong))
quiet("slot_agrees_with_appointment")(partial(_slot_says, of="paid", status=SlotStatus.SUSPENDED))


def _withheld_for_ever(session: Session, world: World, *, reason: WithheldReason) -> None:
    slot_id = world.of(session, Slot, world.cancelled)
    change(session, Slot, slot_id, status=SlotStatus.WITHHELD, withheld_reason=reason)


for _reason in (WithheldReason.COOLING, WithheldReason.CLOSING):
    plant("withheld_slot_will_be_freed")(partial(_withheld_for_ever, reason=_reason))


@quiet("withheld_slot_will_be_freed")
def _withheld_with_its_job(session: Session, world: World) -> None:
    _withheld_for_ever(session, world, reason=WithheldReason.COOLING)
    slot_id = world.of(session, Slot, world.cancelled)
    job = any_id(session, Job)
    clone(session, Job, job, dedup=f"return_slot:{slot_id}", done_at=None, dead_at=None, run_at=world.now)


@quiet("withheld_slot_will_be_freed")
def _closing_with_its_job(session: Session, world: World) -> None:
    _withheld_for_ever(session, world, reason=WithheldReason.CLOSING)
    charge_id = world.of(session, Charge, world.cancelled)
    job = any_id(session, Job)
    clone(session, Job, job, dedup=f"close_payments:{charge_id}", done_at=None, dead_at=None, run_at=world.now)


@plant("suspended_schedule_sells_nothing")
@plant("suspension_is_settled")
def _suspended_by_hand(session: Session, world: World) -> None:
    change(session, Schedule, world.of(session, Schedule, world.paid), status=ScheduleStatus.SUSPENDED)


@quiet("suspension_is_settled")
def _about_to_be_settled(session: Session, world: World) -> None:
    _suspended_by_hand(session, world)
    schedule_id = world.of(session, Schedule, world.paid)
    job = any_id(session, Job)
    clone(session, Job, job, dedup=f"settle_suspension:{schedule_id}", done_at=None, dead_at=None, run_at=world.now)


@plant("offered_slot_has_its_offer")
def _offered_to_nobody(session: Session, world: World) -> None:
    change(session, Offer, world.offer, status=OfferStatus.EXPIRED)


def _offered_slot(session: Session, world: World, **values: object) -> None:
    change(session, Slot, read_row(session, Offer, world.offer)["slot_id"], **values)


plant("open_offer_has_its_slot")(partial(_offered_slot, withheld_reason=WithheldReason.COOLING))
plant("open_offer_has_its_slot")(partial(_offered_slot, status=SlotStatus.BOOKED, withheld_reason=None))
quiet("open_offer_has_its_slot")(partial(_offered_slot, status=SlotStatus.SUSPENDED, withheld_reason=None))


@plant("offer_ends")
def _offer_without_end(session: Session, world: World) -> None:
    change(session, Offer, world.offer, expires_at=world.now - timedelta(minutes=11))


def _one_of_them_was_taken(session: Session, world: World, **new: object) -> None:
    """Another one is over since, which waits where the hospital has yet to agree to the one that was taken."""
    _taken_beside(session, world, **BESIDE | new)
    over = world.now - timedelta(hours=1)
    clone(session, Offer, world.offer, status=OfferStatus.OPEN, accepted_as_id=None, slot_id=new_id(), expires_at=over)


BESIDE = {"status": AppointmentStatus.PENDING, "beside_replaced": True}
for _not_waiting in ({"beside_replaced": False}, {"status": AppointmentStatus.CANCELLED}):
    plant("offer_ends")(partial(_one_of_them_was_taken, **_not_waiting))


@quiet("offer_ends")
def _one_waits_for_the_hospital(session: Session, world: World) -> None:
    _one_of_them_was_taken(session, world)


@quiet("offer_ends")
def _offer_just_over(session: Session, world: World) -> None:
    change(session, Offer, world.offer, expires_at=world.now - timedelta(minutes=9))


@plant("taken_offer_has_its_appointment")
def _taken_as_something_else(session: Session, world: World) -> None:
    change(session, Offer, world.offer, status=OfferStatus.ACCEPTED, accepted_as_id=world.paid)


def _taken(session: Session, world: World, **new: object) -> None:
    change(session, Appointment, world.on_site, status=AppointmentStatus.CANCELLED)
    _taken_beside(session, world, **{"status": AppointmentStatus.BOOKED} | new)


def _taken_beside(session: Session, world: World, **new: object) -> None:
    old = read_row(session, Appointment, world.on_site)
    slot_id = read_row(session, Offer, world.offer)["slot_id"]
    facts = {"slot_id": slot_id, "replaces_id": old["id"]} | new
    made = clone(session, Appointment, world.on_site, **facts)
    change(session, Offer, world.offer, status=OfferStatus.ACCEPTED, accepted_as_id=made)


plant("taken_offer_has_its_appointment")(partial(_taken_beside, status=AppointmentStatus.BOOKED))
quiet("taken_offer_has_its_appointment")(partial(_taken_beside, **BESIDE))
quiet("taken_offer_has_its_appointment")(_taken)
for _other in ({"fee_fen": 999_999}, {"slot_id": new_id()}, {"person_id": new_id()}, {"replaces_id": None}):
    plant("taken_offer_has_its_appointment")(partial(_taken, **_other))


def _taken_for_nobody(session: Session, world: World, *, status: SlotStatus) -> None:
    change(session, Slot, any_id(session, Slot, status=SlotStatus.FREE), status=status)


for _taken in (SlotStatus.HELD, SlotStatus.BOOKED):
    plant("taken_slot_has_appointment")(partial(_taken_for_nobody, status=_taken))


@plant("taken_slot_has_appointment")
def _cancelled_without_letting_go(session: Session, world: World) -> None:
    change(session, Appointment, world.held, status=AppointmentStatus.CANCELLED)


def _after_the_visit(session: Session, world: World, *, status: AppointmentStatus) -> None:
    change(session, Appointment, world.paid, status=status)


for _status in HOLDING[2:]:
    for _name in ("slot_agrees_with_appointment", "taken_slot_has_appointment", "kept_money_is_what_is_due"):
        quiet(_name)(partial(_after_the_visit, status=_status))


@plant("slot_is_accounted_for")
def _slot_in_no_state(session: Session, world: World) -> None:
    change(session, Slot, any_id(session, Slot), status=literal_column("'lost'"))


def _kept_for_a_channel(session: Session, world: World, *, since: timedelta) -> None:
    slot_id = any_id(session, Slot, status=SlotStatus.FREE)
    change(session, Slot, slot_id, status=SlotStatus.WITHHELD, withheld_reason=WithheldReason.CHANNEL)
    half_day = read_row(session, Slot, slot_id)["schedule_id"]
    change(session, Schedule, half_day, channels_return_at=world.now - since)


plant("channels_have_returned")(partial(_kept_for_a_channel, since=timedelta(minutes=11)))
quiet("channels_have_returned")(partial(_kept_for_a_channel, since=-timedelta(minutes=1)))


@plant("surplus_is_not_sold")
def _taken_back_and_on_sale(session: Session, world: World) -> None:
    change(session, Slot, any_id(session, Slot, status=SlotStatus.FREE), surplus=Surplus.REDUCED)


@quiet("surplus_is_not_sold")
def _taken_back_from_a_patient(session: Session, world: World) -> None:
    change(session, Slot, world.of(session, Slot, world.paid), surplus=Surplus.REDUCED)


@plant("number_is_given_once")
def _same_number_twice(session: Session, world: World) -> None:
    clone(session, Slot, any_id(session, Slot, status=SlotStatus.FREE))


# --- exchanges


@plant("swap_is_whole")
def _booked_beside_what_it_replaces(session: Session, world: World) -> None:
    change(session, Appointment, world.paid, beside_replaced=True, replaces_id=world.on_site)


@plant("swap_is_whole")
def _beside_what_is_on_another_charge(session: Session, world: World) -> None:
    change(session, Appointment, world.held, beside_replaced=True, replaces_id=world.on_site)


@plant("swap_is_whole")
def _both_are_kept(session: Session, world: World) -> None:
    change(session, Appointment, world.paid, replaces_id=world.on_site)


@plant("swap_is_whole")
def _let_go_for_nothing(session: Session, world: World) -> None:
    change(session, Appointment, world.cancelled, cancel_reason=CancelReason.RESCHEDULED)


@plant("swap_is_whole")
def _let_go_for_one_that_its_hospital_has_yet_to_confirm(session: Session, world: World) -> None:
    change(session, Appointment, world.cancelled, cancel_reason=CancelReason.RESCHEDULED)
    change(session, Appointment, world.paid, replaces_id=world.cancelled, awaiting_hospital=True)


@quiet("swap_is_whole")
def _let_go_for_one_that_is_sure(session: Session, world: World) -> None:
    change(session, Appointment, world.cancelled, cancel_reason=CancelReason.RESCHEDULED)
    change(session, Appointment, world.paid, replaces_id=world.cancelled)


@quiet("person_within_day_limit")
def _beside_what_it_replaces_it_counts_once(session: Session, world: World) -> None:
    for _ in range(3):
        clone(session, Appointment, world.held, slot_id=new_id(), beside_replaced=True, replaces_id=world.held)


# --- persons and accounts


@plant("agreement_is_own")
def _agreement_of_another_account(session: Session, world: World) -> None:
    change(session, Agreement, any_id(session, Agreement), account_id=new_id())


@plant("alias_points_at_a_root")
def _alias_of_an_alias(session: Session, world: World) -> None:
    root = any_id(session, Person)
    clone(session, Person, root, id=(alias := new_id()), alias_of_id=root)
    clone(session, Person, root, alias_of_id=alias)


@plant("person_once_per_schedule")
def _same_schedule_twice(session: Session, world: World) -> None:
    clone(session, Appointment, world.paid, slot_id=new_id())


@plant("person_once_per_department_day")
def _same_department_and_day_twice(session: Session, world: World) -> None:
    clone(session, Appointment, world.paid, slot_id=new_id(), schedule_id=new_id())


@quiet("person_once_per_department_day")
def _where_the_terms_allow_it(session: Session, world: World) -> None:
    clone(session, Appointment, world.paid, schedule_id=new_id(), one_per_department_day=False)


@quiet("person_once_per_schedule")
@quiet("person_once_per_department_day")
def _beside_the_one_it_replaces(session: Session, world: World) -> None:
    clone(session, Appointment, world.paid, slot_id=new_id(), beside_replaced=True)


@plant("person_within_day_limit")
def _three_on_one_day(session: Session, world: World) -> None:
    for _ in range(2):
        clone(session, Appointment, world.paid, schedule_id=new_id(), department_id=new_id())


@quiet("person_within_day_limit")
def _two_on_one_day(session: Session, world: World) -> None:
    clone(session, Appointment, world.paid, schedule_id=new_id(), department_id=new_id())


def _with_a_doctor(session: Session, world: World, *, most: int = 1, code: str = "D1") -> UUID:
    """Two half days of one day, a number of each; the second half day."""
    paid = read_row(session, Appointment, world.paid)
    terms = paid["terms"] | {"max_open_per_person_doctor_day": most}
    change(session, Appointment, world.paid, terms=terms)
    change(session, Schedule, paid["schedule_id"], doctor_code=code)
    second = clone(session, Schedule, paid["schedule_id"], doctor_code=code, clinic_type="ANOTHER")
    clone(session, Appointment, world.paid, schedule_id=second, slot_id=new_id(), terms=terms)
    return second


@plant("person_within_doctor_day_limit")
def _two_with_one_doctor(session: Session, world: World) -> None:
    _with_a_doctor(session, world)


@quiet("person_within_doctor_day_limit")
def _two_where_two_are_allowed(session: Session, world: World) -> None:
    _with_a_doctor(session, world, most=2)


@quiet("person_within_doctor_day_limit")
def _two_of_clinics_without_a_doctor(session: Session, world: World) -> None:
    _with_a_doctor(session, world, code="")


@quiet("person_within_doctor_day_limit")
def _two_where_the_hospital_gave_the_doctor_the_second(session: Session, world: World) -> None:
    second = _with_a_doctor(session, world)
    half_day = read_row(session, Schedule, second)
    facts = {"kind": ChangeKind.SUBSTITUTED, "reason": "r", "operator": "o", "was": {"doctor_code": "D2"}}
    row = {"id": new_id(), "schedule_id": second, "hospital_id": half_day["hospital_id"], "version": 1, **facts}
    session.execute(insert(ScheduleChange).values(**row, at=half_day["created_at"]))


@plant("person_within_hold_limit")
def _two_holds_of_a_person(session: Session, world: World) -> None:
    clone(session, Appointment, world.held, account_id=new_id(), schedule_id=new_id(), department_id=new_id())


def _beside_what_was_offered(session: Session, world: World, *, paid: bool) -> None:
    """What was taken for a number that was called off is no hold, unless it is to be paid like one."""
    others = {"schedule_id": new_id(), "department_id": new_id(), "charge_id": new_id()}
    waiting = clone(session, Appointment, world.held, awaiting_payment=not paid, awaiting_hospital=paid, **others)
    change(session, Offer, world.offer, status=OfferStatus.ACCEPTED, accepted_as_id=waiting)


def _beside_two_holds(session: Session, world: World, *, paid: bool) -> None:
    clone(session, Appointment, world.held, person_id=new_id(), schedule_id=new_id(), charge_id=new_id())
    _beside_what_was_offered(session, world, paid=paid)


for _limit, _held in (
    ("person_within_hold_limit", _beside_what_was_offered),
    ("account_within_hold_limit", _beside_two_holds),
):
    quiet(_limit)(partial(_held, paid=True))
    plant(_limit)(partial(_held, paid=False))


@plant("account_within_hold_limit")
def _three_holds_of_an_account(session: Session, world: World) -> None:
    for _ in range(2):
        clone(session, Appointment, world.held, person_id=new_id(), schedule_id=new_id(), charge_id=new_id())


@quiet("account_within_hold_limit")
def _two_holds_of_an_account(session: Session, world: World) -> None:
    clone(session, Appointment, world.held, person_id=new_id(), schedule_id=new_id(), charge_id=new_id())


@quiet("account_within_hold_limit")
def _three_that_were_booked_together(session: Session, world: World) -> None:
    for _ in range(2):
        clone(session, Appointment, world.held, person_id=new_id(), schedule_id=new_id())


# --- holds and deadlines


@plant("patient_cancelled_in_time")
def _cancelled_at_the_deadline(session: Session, world: World) -> None:
    event_id = any_id(session, StateEvent, record_id=world.cancelled, to_status="cancelled")
    change(session, Appointment, world.cancelled, cancel_before=read_row(session, StateEvent, event_id)["at"])


@quiet("patient_cancelled_in_time")
def _cancelled_just_before_the_deadline(session: Session, world: World) -> None:
    event_id = any_id(session, StateEvent, record_id=world.cancelled, to_status="cancelled")
    at = read_row(session, StateEvent, event_id)["at"]
    change(session, Appointment, world.cancelled, cancel_before=at + timedelta(milliseconds=1))


@plant("hold_ends_at_its_cap")
def _held_past_the_cap(session: Session, world: World) -> None:
    change(session, Appointment, world.held, close_by=world.now - timedelta(seconds=61))


@quiet("hold_ends_at_its_cap")
def _held_until_just_past_the_cap(session: Session, world: World) -> None:
    change(session, Appointment, world.held, close_by=world.now - timedelta(seconds=60))


@quiet("hold_ends_with_its_prepay")
def _waiting_for_the_close(session: Session, world: World) -> None:
    change(session, Appointment, world.held, hold_expires_at=world.now - timedelta(minutes=10))


def _prepay_is_over(session: Session, world: World, **payment: object) -> None:
    _waiting_for_the_close(session, world)
    change(session, Payment, world.of(session, Payment, world.held), **payment)


plant("hold_ends_with_its_prepay")(partial(_prepay_is_over, status=PaymentStatus.CLOSED))
plant("hold_ends_with_its_prepay")(partial(_prepay_is_over, status=PaymentStatus.FAILED))
plant("hold_ends_with_its_prepay")(partial(_prepay_is_over, let_go=True))


# --- who owns what


@plant("appointment_is_own")
def _another_accounts_dependent(session: Session, world: World) -> None:
    change(session, Appointment, world.paid, dependent_id=world.stranger.dependent_id)


@plant("appointment_is_own")
def _another_accounts_charge(session: Session, world: World) -> None:
    change(session, Charge, world.of(session, Charge, world.paid), account_id=world.stranger.account_id)


@plant("payment_is_own")
def _another_account_pays(session: Session, world: World) -> None:
    change(session, Charge, world.of(session, Charge, world.paid), account_id=world.stranger.account_id)


@plant("payment_is_own")
def _another_accounts_identity_pays(session: Session, world: World) -> None:
    payment = read_row(session, Payment, world.of(session, Payment, world.paid))
    change(session, PlatformIdentity, payment["payer_identity_id"], account_id=world.stranger.account_id)


@plant("check_is_own")
def _another_accounts_check(session: Session, world: World) -> None:
    change(session, Dependent, world.stranger.dependent_id, account_id=new_id())


@plant("check_result_is_used_once")
def _one_result_for_two_checks(session: Session, world: World) -> None:
    clone(session, IdentityCheck, world.check)


@plant("hospital_is_one")
def _appointment_of_another_schedule(session: Session, world: World) -> None:
    change(session, Appointment, world.paid, schedule_id=new_id())


@plant("hospital_is_one")
def _slot_of_another_hospital(session: Session, world: World) -> None:
    change(session, Slot, world.of(session, Slot, world.paid), hospital_id=new_id())


@plant("hospital_is_one")
def _charge_of_another_hospital(session: Session, world: World) -> None:
    change(session, Charge, world.of(session, Charge, world.paid), hospital_id=new_id())


def _schedule_says(session: Session, world: World, *, column: str) -> None:
    schedule_id = read_row(session, Appointment, world.paid)["schedule_id"]
    change(session, Schedule, schedule_id, **{column: new_id()})


plant("hospital_is_one")(partial(_schedule_says, column="hospital_id"))
plant("hospital_is_one")(partial(_schedule_says, column="department_id"))
