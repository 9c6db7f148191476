"""Every refusal over several records, one class and one stable code each (api.md, "Codes")."""

from __future__ import annotations

from models.errors import Conflict, Unauthenticated, Unavailable, ValidationFailed


class RequestInProgress(Conflict):
    """A twin of this request is at work; ask again in a moment."""

    code = "request_in_progress"


class IdempotencyKeyReused(ValidationFailed):
    """The key was used for another request."""

    code = "idempotency_key_reused"


class ProviderDown(Unavailable):
    """A platform gives no trustworthy answer; nothing was lost."""

    code = "provider_unavailable"


# --- login


class LoginFailed(Unauthenticated):
    """The platform does not vouch for the login code: wrong, used, or too old."""

    code = "login_failed"


class PhoneNotProven(Conflict):
    """The platform does not vouch for the phone: the proof is wrong, used or too old, or no number of a person."""

    code = "phone_refused"


# --- booking


class SoldOut(Conflict):
    """Nothing is free and nothing can come back."""

    code = "sold_out"


class NumbersInFlight(Conflict):
    """None is free, but some are held and may return."""

    code = "numbers_in_flight"


class NotReleased(Conflict):
    code = "not_released"


class ScheduleClosed(Conflict):
    code = "schedule_closed"


class ScheduleSuspended(Conflict):
    code = "schedule_suspended"


class AlreadyBooked(Conflict):
    """The person has an open appointment here already, made by this account. The facts name those that it booked."""

    code = "already_booked"


class PersonLimit(Conflict):
    """A limit of the person is reached. Says nothing about where: it may be another account's appointment."""

    code = "person_limit"


class Restricted(Conflict):
    """Nothing new for a while. The facts say of which kind and why; `retry_at` tells until when, where it ends."""

    code = "restricted"


class HoldOpen(Conflict):
    """An unpaid number must be paid or cancelled first. The facts name those of the account that asks; `retry_at` is
    when enough of them lapse by themselves."""

    code = "hold_open"


class NotEligible(Conflict):
    """Sex, age or visit kind do not fit the clinic. The facts say which of them and what it asks for."""

    code = "not_eligible"


class IdentityRequired(Conflict):
    """The schedule asks for a higher identity level."""

    code = "identity_required"


class NoticeUnread(Conflict):
    """The hospital wants its booking notice read first, in the version that the facts tell."""

    code = "notice_unread"


class FieldsRequired(Conflict):
    """The hospital wants to know more of the patient. The facts name what is missing, but not to whoever books under a
    grant: only the patient's own account can fill it in."""

    code = "fields_required"


class ConsentRequired(Conflict):
    code = "consent_required"


class AgreementRequired(Conflict):
    """A grown-up has not agreed that this account books for them, or no longer does."""

    code = "agreement_required"


class FeeChanged(Conflict):
    code = "fee_changed"


class CancelDeadlinePassed(Conflict):
    code = "cancel_deadline_passed"


class NotCancellable(Conflict):
    code = "not_cancellable"


class NotReschedulable(Conflict):
    """The number cannot be exchanged for that one. The facts say why: its state, how often it was exchanged already,
    that the new one is too far from it, or that another exchange is not sure yet."""

    code = "not_reschedulable"


class OfferEnded(Conflict):
    """Its time is over, it was answered, or the hospital took it back."""

    code = "offer_ended"


# --- the day


class CheckInRefused(Conflict):
    """Only a booked number is checked in, and only who is there is called. The facts say what it is."""

    code = "check_in_refused"


class CheckInTooEarly(Conflict):
    code = "check_in_too_early"


class CheckInTooLate(Conflict):
    """The window has closed; the desk may still help."""

    code = "check_in_too_late"


class CheckInAtDesk(Conflict):
    """Not by place: the fee is paid at the desk, or the hospital wants everybody to come there."""

    code = "check_in_at_desk"


class TooFar(Conflict):
    """The phone is not where the clinic is."""

    code = "too_far"


class AppointmentFrozen(Conflict):
    """Somebody says that it was booked in another's name: the desk decides."""

    code = "appointment_frozen"


# --- payments


class HoldEnding(Conflict):
    """Too little of the hold is left to pay in."""

    code = "hold_ending"


class LinkOpen(Conflict):
    """The link that was handed out for it can be opened until `retry_at`, and closed by nobody before."""

    code = "link_open"


class NotPayable(Conflict):
    code = "not_payable"


class AlreadyPaid(Conflict):
    code = "already_paid"


# --- accounts and grants


class JoinConflict(Conflict):
    """The two accounts cannot be one. The facts are of one's own account only."""

    code = "join_conflict"


class UndoTooLate(Conflict):
    """The time in which a join can be undone is over."""

    code = "undo_too_late"


class AccountInUse(Conflict):
    """It cannot be closed yet. The facts say how many of what stand in the way."""

    code = "account_in_use"


class GrantRefused(Conflict):
    """The code is wrong, used, replaced, too old, or one's own."""

    code = "grant_refused"


class GrantLimit(Conflict):
    """One person has given, or one account holds, as many grants as are allowed."""

    code = "grant_limit"


# --- dependents


class DependentLimit(Conflict):
    code = "dependent_limit"


class DependentExists(Conflict):
    code = "dependent_exists"


class DependentInUse(Conflict):
    """An appointment or a place in a waitlist is open, or somebody has them as a guardian. The facts say how many."""

    code = "dependent_in_use"


class HospitalCardExists(Conflict):
    """This dependent has the card already."""

    code = "hospital_card_exists"


class HospitalCardLimit(Conflict):
    code = "hospital_card_limit"


class IdentityFrozen(Conflict):
    """Matched identity fields do not change."""

    code = "identity_frozen"


class ChangeLimit(Conflict):
    """It was changed lately; `retry_at` tells when it may be again, where it may."""

    code = "change_limit"


class OwnPhone(Conflict):
    """The dependent's phone is that of whoever books, or may be: nobody agrees by it in another's place."""

    code = "own_phone"


class AgreementNotGiven(Conflict):
    """No face check of the dependent says that they agree: none was passed lately, or it has said it already."""

    code = "agreement_not_given"


class CheckLimit(Conflict):
    """No more checks of this kind today; another way is open."""

    code = "check_limit"
