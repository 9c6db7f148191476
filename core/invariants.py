"""What must always hold, each as one query: a row that comes back is a broken promise (architecture.md, section 5).

The same text runs on both databases. Moves are checked against the tables of the models themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from core.booking.policy import MOST_DEPENDENTS
from core.invariants_of_claims import OF_CLAIMS
from core.invariants_of_money import OF_MONEY
from core.invariants_of_offers import OF_OFFERS
from core.invariants_of_prepays import OF_PREPAYS
from core.invariants_over_time import OVER_TIME
from models.account_join import AccountJoin
from models.appointment import Appointment
from models.base import UTCDateTime
from models.hospital_claim import HospitalClaim
from models.identity_check import IdentityCheck
from models.offer import Offer
from models.payment import Payment, Refund
from models.schedule import Slot
from models.states import Stateful
from models.strike import StrikeAppeal
from models.waitlist import WaitlistEntry

MACHINES: tuple[type[Stateful], ...] = (
    Appointment, Slot, Payment, Refund, HospitalClaim, IdentityCheck, AccountJoin, Offer, WaitlistEntry, StrikeAppeal,
)  # fmt: skip

_HOLDS = "('pending','booked','arrived','fulfilled','noshow')"
_OPEN = "('pending','booked','arrived')"

# As a limit counts them: one in the place of another counts with it while both stand.
_CLAIMS = "COUNT(DISTINCT CASE WHEN beside_replaced THEN replaces_id ELSE id END)"

_CHOSEN = "(awaiting_payment OR NOT EXISTS (SELECT 1 FROM offers o WHERE o.accepted_as_id = a.id))"

# What a join leaves of an account: its own consents, and an idempotency key that the other account had used as well.
_HANGING = {
    "agreements": "", "appointments": "", "charges": "", "consents": " AND t.dependent_id IS NOT NULL",
    "dependents": "", "grants": "", "identity_checks": "", "login_sessions": "", "notices": "", "payments": "",
    "platform_identities": "", "waitlist_entries": "",
}  # fmt: skip

# A grant with scope, of the person and at the instant of what was done under it, whichever of the person's dependents
# it named: a join makes one of two, and its undoing parts them again.
_UNDER_A_GRANT = """SELECT 1 FROM grants g JOIN dependents w ON w.id = g.dependent_id
 JOIN persons q ON q.id = w.person_id JOIN dependents d ON d.id = a.dependent_id JOIN persons r ON r.id = d.person_id
 WHERE COALESCE(q.alias_of_id, q.id) = COALESCE(r.alias_of_id, r.id)"""
_AT_THE_TIME = "g.accepted_at <= {at} AND {at} < g.to_at AND (g.ended_at IS NULL OR {at} <= g.ended_at)"

_QUERIES = {
    "slot_has_one_appointment": f"SELECT slot_id FROM appointments WHERE status IN {_HOLDS} "
    "GROUP BY slot_id HAVING COUNT(*) > 1",
    "slot_agrees_with_appointment": "SELECT a.id FROM appointments a JOIN slots s ON s.id = a.slot_id "
    f"WHERE a.status IN {_HOLDS} AND s.status <> 'suspended' "
    "AND s.status <> CASE WHEN a.status = 'pending' THEN 'held' ELSE 'booked' END",
    "taken_slot_has_appointment": "SELECT s.id FROM slots s WHERE s.status IN ('held','booked') AND NOT EXISTS "
    f"(SELECT 1 FROM appointments a WHERE a.slot_id = s.id AND a.status IN {_HOLDS})",
    "slot_is_accounted_for": "SELECT id FROM slots WHERE status NOT IN ('free','held','booked','withheld','suspended')",
    "channels_have_returned": "SELECT s.id FROM slots s JOIN schedules h ON h.id = s.schedule_id "
    "WHERE s.status = 'withheld' AND s.withheld_reason = 'channel' AND h.status = 'open' "
    "AND h.channels_return_at < :ten_minutes_ago",
    # Once, on its days, by the same person, in the same department, for nothing, and beside the numbers that are sold.
    "follow_up_is_rightful": "SELECT a.id FROM appointments a JOIN appointments v ON v.id = a.follow_up_of_id "
    "JOIN schedules d ON d.id = a.schedule_id JOIN schedules w ON w.id = v.schedule_id "
    "JOIN slots s ON s.id = a.slot_id JOIN persons q ON q.id = a.person_id JOIN persons r ON r.id = v.person_id "
    f"WHERE a.status IN {_HOLDS} AND (v.follow_up_until IS NULL OR v.follow_up_of_id IS NOT NULL OR a.fee_fen <> 0 "
    "OR a.visit_date > v.follow_up_until OR a.visit_date < v.visit_date OR d.department_id <> w.department_id "
    "OR COALESCE(q.alias_of_id, q.id) <> COALESCE(r.alias_of_id, r.id) OR s.surplus IS NULL) UNION ALL "
    f"SELECT follow_up_of_id FROM appointments WHERE follow_up_of_id IS NOT NULL AND status IN {_HOLDS} "
    "GROUP BY follow_up_of_id HAVING COUNT(*) > 1",
    "surplus_is_not_sold": "SELECT id FROM slots WHERE surplus IS NOT NULL AND status = 'free'",
    "number_is_given_once": "SELECT schedule_id FROM slots GROUP BY schedule_id, sequence HAVING COUNT(*) > 1",
    "person_once_per_schedule": f"SELECT person_id FROM appointments WHERE status IN {_OPEN} AND NOT beside_replaced "
    "GROUP BY person_id, schedule_id HAVING COUNT(*) > 1",
    "person_once_per_department_day": f"SELECT person_id FROM appointments WHERE status IN {_OPEN} "
    "AND NOT beside_replaced AND one_per_department_day "
    "GROUP BY person_id, department_id, visit_date HAVING COUNT(*) > 1",
    "person_within_day_limit": f"SELECT person_id FROM appointments WHERE status IN {_OPEN} "
    "AND follow_up_of_id IS NULL GROUP BY person_id, visit_date "
    f"HAVING {_CLAIMS} > MAX(CAST(terms->>'max_per_person_day' AS INTEGER))",
    **OVER_TIME,
    # What was taken for a number that the hospital called off is none: nobody chose to hold it.
    "person_within_hold_limit": f"SELECT person_id FROM appointments a WHERE status = 'pending' AND {_CHOSEN} "
    "GROUP BY person_id HAVING COUNT(*) > MAX(CAST(terms->>'max_open_holds_person' AS INTEGER))",
    "account_within_hold_limit": f"SELECT account_id FROM appointments a WHERE status = 'pending' AND {_CHOSEN} "
    "GROUP BY account_id HAVING COUNT(DISTINCT charge_id) > MAX(CAST(terms->>'max_open_holds_account' AS INTEGER))",
    # Not sure, one stands beside what it replaces; sure, it stands alone. Nothing is let go for one that is not there.
    "swap_is_whole": "SELECT a.id FROM appointments a LEFT JOIN appointments o ON o.id = a.replaces_id "
    f"WHERE a.status IN {_OPEN} AND CASE WHEN a.beside_replaced THEN o.id IS NULL OR a.status <> 'pending' "
    f"OR o.charge_id <> a.charge_id ELSE o.status IN {_HOLDS} END UNION ALL SELECT o.id FROM appointments o "
    "WHERE o.cancel_reason = 'rescheduled' AND NOT EXISTS (SELECT 1 FROM appointments a WHERE a.replaces_id = o.id "
    "AND NOT a.awaiting_payment AND NOT a.awaiting_hospital AND NOT a.beside_replaced)",
    "key_is_not_stuck": "SELECT id FROM idempotency_keys WHERE state = 'running' "
    "AND (lease_until IS NULL OR lease_until < :two_hours_ago)",
    "kept_key_has_its_reply": "SELECT id FROM idempotency_keys WHERE state = 'done' AND reply_sealed IS NULL",
    "alias_points_at_a_root": "SELECT p.id FROM persons p JOIN persons r ON r.id = p.alias_of_id "
    "WHERE r.alias_of_id IS NOT NULL",
    "appointment_is_own": "SELECT a.id FROM appointments a JOIN dependents d ON d.id = a.dependent_id "
    "JOIN charges c ON c.id = a.charge_id WHERE d.account_id <> a.account_id OR c.account_id <> a.account_id",
    # While two accounts were one, either wallet paid for both.
    "payment_is_own": "SELECT p.id FROM payments p JOIN charges c ON c.id = p.charge_id "
    "JOIN platform_identities i ON i.id = p.payer_identity_id WHERE p.account_id <> c.account_id "
    "OR (p.grant_id IS NULL AND i.account_id <> p.account_id AND NOT EXISTS "
    "(SELECT 1 FROM account_joins j WHERE j.status = 'undone' AND ((j.kept_account_id = p.account_id "
    "AND j.emptied_account_id = i.account_id) OR (j.kept_account_id = i.account_id "
    "AND j.emptied_account_id = p.account_id))))",
    "booked_under_its_grant": "SELECT a.id FROM appointments a WHERE a.grant_id IS NOT NULL AND NOT EXISTS "
    f"({_UNDER_A_GRANT} AND g.id = a.grant_id AND g.may_book AND {_AT_THE_TIME.format(at='a.created_at')})",
    # Of a bundle it may be the last that still waited.
    "paid_under_its_grant": "SELECT p.id FROM payments p JOIN platform_identities i ON i.id = p.payer_identity_id "
    "WHERE p.grant_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM appointments a WHERE a.charge_id = p.charge_id "
    f"AND EXISTS ({_UNDER_A_GRANT} AND g.id = p.grant_id AND g.may_pay AND {_AT_THE_TIME.format(at='p.created_at')} "
    "AND (g.account_id = i.account_id OR EXISTS (SELECT 1 FROM account_joins j WHERE j.status = 'undone' "
    "AND g.account_id IN (j.kept_account_id, j.emptied_account_id) "
    "AND i.account_id IN (j.kept_account_id, j.emptied_account_id)))))",
    "grant_was_accepted_at_its_own_login": "SELECT g.id FROM grants g JOIN accounts a ON a.id = g.account_id "
    "WHERE a.closed_at IS NULL AND NOT EXISTS "
    "(SELECT 1 FROM platform_identities i WHERE i.id = g.accepted_by_id AND i.account_id = g.account_id)",
    "hospital_is_one": "SELECT a.id FROM appointments a JOIN slots s ON s.id = a.slot_id "
    "JOIN schedules d ON d.id = s.schedule_id JOIN charges c ON c.id = a.charge_id "
    "WHERE a.schedule_id <> s.schedule_id OR a.hospital_id <> s.hospital_id OR a.hospital_id <> d.hospital_id "
    "OR a.hospital_id <> c.hospital_id OR a.department_id <> d.department_id",
    "check_is_own": "SELECT k.id FROM identity_checks k JOIN dependents d ON d.id = k.dependent_id "
    "WHERE k.account_id <> d.account_id",
    "consent_is_own": "SELECT s.id FROM consents s JOIN dependents d ON d.id = s.dependent_id "
    "WHERE s.account_id <> d.account_id",
    "agreement_is_own": "SELECT g.id FROM agreements g JOIN dependents d ON d.id = g.dependent_id "
    "WHERE g.account_id <> d.account_id",
    # Lifted, nothing is left to decide; resting, it restricts nobody, and somebody is about to decide.
    "strike_agrees_with_appeal": "SELECT s.id FROM strikes s LEFT JOIN strike_appeals p ON p.strike_id = s.id "
    "WHERE CASE WHEN s.lifted_at IS NOT NULL THEN p.status = 'open' OR s.restricts_until IS NOT NULL "
    "WHEN s.paused_at IS NOT NULL THEN p.status IS NULL OR p.status <> 'open' OR s.restricts_until IS NOT NULL "
    "ELSE p.status = 'granted' END",
    "notice_is_own": "SELECT n.id FROM notices n JOIN appointments a ON a.id = n.appointment_id "
    "WHERE n.account_id <> a.account_id",
    "login_is_own": "SELECT l.id FROM login_sessions l JOIN platform_identities i ON i.id = l.platform_identity_id "
    "WHERE l.account_id <> i.account_id",
    "account_within_dependent_limit": "SELECT account_id FROM dependents WHERE archived_at IS NULL "
    f"AND relationship <> 'self' GROUP BY account_id HAVING COUNT(*) > {MOST_DEPENDENTS}",
    "joined_account_is_empty": " UNION ALL ".join(
        f"SELECT t.id FROM {table} t JOIN accounts a ON a.id = t.account_id WHERE a.joined_into_id IS NOT NULL{more}"
        for table, more in _HANGING.items()
    ),
    "joined_account_has_its_join": "SELECT a.id FROM accounts a WHERE a.joined_into_id IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM account_joins j WHERE j.status = 'joined' AND j.emptied_account_id = a.id "
    "AND j.kept_account_id = a.joined_into_id) UNION ALL SELECT j.id FROM account_joins j "
    "JOIN accounts a ON a.id = j.emptied_account_id WHERE j.status = 'joined' "
    "AND (a.joined_into_id IS NULL OR a.joined_into_id <> j.kept_account_id)",
    "join_by_phone_has_two_yeses": "SELECT j.id FROM account_joins j WHERE j.reason = 'phone' "
    "AND j.joined_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM state_events one, state_events two "
    "WHERE one.record_id = j.id AND one.to_status = 'asked' AND two.record_id = j.id AND two.to_status = 'joined' "
    "AND REPLACE(one.actor_id, '-', '') = REPLACE(CAST(j.asking_account_id AS TEXT), '-', '') "
    "AND REPLACE(two.actor_id, '-', '') = REPLACE(CAST(j.asked_account_id AS TEXT), '-', ''))",
    "merged_dependent_has_its_twin": "SELECT d.id FROM dependents d WHERE d.merged_into_id IS NOT NULL "
    "AND (d.archived_at IS NULL OR NOT EXISTS (SELECT 1 FROM dependents t WHERE t.id = d.merged_into_id "
    "AND t.account_id = d.account_id AND t.id <> d.id AND t.merged_into_id IS NULL))",
    "identity_was_found_by_one_that_is": "SELECT i.id FROM platform_identities i WHERE i.found_by_id IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM platform_identities f WHERE f.id = i.found_by_id "
    "AND f.account_id = i.account_id)",
    "phone_was_proven_at_its_own_login": "SELECT a.id FROM accounts a WHERE a.joined_into_id IS NULL "
    "AND a.phone_proven_by_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM platform_identities i "
    "WHERE i.id = a.phone_proven_by_id AND i.account_id = a.id)",
    "consent_was_given_at_its_own_login": "SELECT s.id FROM consents s JOIN accounts a ON a.id = s.account_id "
    "WHERE a.joined_into_id IS NULL AND s.dependent_id IS NULL AND s.given_by_id IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM platform_identities i WHERE i.id = s.given_by_id AND i.account_id = a.id)",
    "guardian_is_of_the_same_account": "SELECT d.id FROM dependents d JOIN dependents g "
    "ON g.id = d.guardian_dependent_id WHERE g.account_id <> d.account_id OR g.id = d.id",
    "guardian_stands": "SELECT d.id FROM dependents d JOIN dependents g ON g.id = d.guardian_dependent_id "
    "WHERE d.archived_at IS NULL AND g.archived_at IS NOT NULL",
    "closed_account_is_silent": "SELECT a.id FROM accounts a WHERE a.closed_at IS NOT NULL "
    "AND (a.phone_sealed IS NOT NULL "
    "OR EXISTS (SELECT 1 FROM login_sessions l WHERE l.account_id = a.id AND l.revoked_at IS NULL) "
    "OR EXISTS (SELECT 1 FROM dependents d WHERE d.account_id = a.id AND d.archived_at IS NULL) "
    "OR EXISTS (SELECT 1 FROM grants g WHERE g.account_id = a.id AND g.ended_at IS NULL) "
    "OR EXISTS (SELECT 1 FROM grants g JOIN dependents d ON d.id = g.dependent_id WHERE d.account_id = a.id "
    "AND g.ended_at IS NULL) "
    f"OR EXISTS (SELECT 1 FROM appointments o WHERE o.account_id = a.id AND o.status IN {_OPEN}))",
    "patient_cancelled_in_time": "SELECT e.id FROM state_events e JOIN appointments a ON a.id = e.record_id "
    "WHERE e.machine = 'appointment' AND e.to_status = 'cancelled' AND e.from_status = 'booked' "
    "AND e.reason = 'patient' AND e.at >= a.cancel_before",
    "hold_ends_at_its_cap": "SELECT id FROM appointments WHERE status = 'pending' AND awaiting_payment "
    "AND close_by < :a_minute_ago",
    **OF_PREPAYS,
    **OF_MONEY,
    "inbox_is_applied": "SELECT id FROM platform_events WHERE state = 'received' AND received_at < :a_minute_ago",
    "job_is_not_stuck": "SELECT id FROM jobs WHERE dead_at IS NOT NULL "
    "OR (done_at IS NULL AND run_at < :ten_minutes_ago AND (lease_until IS NULL OR lease_until < :ten_minutes_ago))",
    "withheld_slot_will_be_freed": "SELECT s.id FROM slots s WHERE s.status = 'withheld' "
    "AND ((s.withheld_reason = 'cooling' AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.done_at IS NULL "
    "AND j.dead_at IS NULL AND REPLACE(j.dedup, '-', '') = 'return_slot:' || REPLACE(CAST(s.id AS TEXT), '-', ''))) "
    "OR (s.withheld_reason = 'closing' AND NOT EXISTS (SELECT 1 FROM jobs j JOIN appointments a ON a.slot_id = s.id "
    "WHERE j.done_at IS NULL AND j.dead_at IS NULL "
    "AND REPLACE(j.dedup, '-', '') = 'close_payments:' || REPLACE(CAST(a.charge_id AS TEXT), '-', ''))))",
    "suspended_schedule_sells_nothing": "SELECT s.id FROM slots s JOIN schedules d ON d.id = s.schedule_id "
    "WHERE d.status = 'suspended' AND s.status IN ('free','held','booked')",
    "suspension_is_settled": "SELECT a.id FROM appointments a JOIN schedules d ON d.id = a.schedule_id "
    "WHERE d.status = 'suspended' AND a.status IN ('pending','booked','noshow') AND NOT EXISTS (SELECT 1 FROM jobs j "
    "WHERE j.done_at IS NULL AND j.dead_at IS NULL AND REPLACE(j.dedup, '-', '') = "
    "'settle_suspension:' || REPLACE(CAST(a.schedule_id AS TEXT), '-', ''))",
    **OF_CLAIMS,
    **OF_OFFERS,
    "only_verified_messages_move": "SELECT e.id FROM state_events e WHERE e.cause_kind = 'platform_event' "
    "AND NOT EXISTS (SELECT 1 FROM platform_events m "
    "WHERE REPLACE(CAST(m.id AS TEXT), '-', '') = REPLACE(e.cause_id, '-', ''))",
    "check_result_is_used_once": "SELECT dependent_id FROM identity_checks WHERE out_seq_no IS NOT NULL "
    "GROUP BY dependent_id, out_seq_no HAVING COUNT(*) > 1",
}


@dataclass(frozen=True)
class Broken:
    """One row that should not be."""

    invariant: str
    row: str


def check_invariants(session: Session, *, now: datetime) -> list[Broken]:
    """Run every query; an empty list is health."""
    instants = {
        "a_minute_ago": now - timedelta(minutes=1),
        "ten_minutes_ago": now - timedelta(minutes=10),
        "two_hours_ago": now - timedelta(hours=2),
        "last_retry": now - timedelta(hours=26),
    }
    broken = []
    for name, sql in invariants():
        used = {key: value for key, value in instants.items() if f":{key}" in sql}
        query = text(sql).bindparams(*(bindparam(key, type_=UTCDateTime()) for key in used))
        broken += [Broken(name, str(row[0])) for row in session.execute(query, used)]
    return broken


def invariants() -> Iterator[tuple[str, str]]:
    """Name and query of each."""
    yield from _QUERIES.items()
    for machine in MACHINES:
        yield from _of_machine(machine)


def _of_machine(record: type[Stateful]) -> Iterator[tuple[str, str]]:
    name, table = record.machine, record.__tablename__  # type: ignore[attr-defined]
    events = f"FROM state_events e WHERE e.machine = '{name}' AND e.record_id = t.id"
    unborn = "t.status <> 'free' OR t.moved <> 0" if record is Slot else "1 = 1"
    yield (
        f"{name}_replays_to_its_state",
        f"SELECT t.id FROM {table} t WHERE CASE WHEN EXISTS (SELECT 1 {events}) THEN "
        f"t.moved <> (SELECT COUNT(*) {events}) OR t.moved <> (SELECT MAX(e.seq) {events}) "
        f"OR NOT EXISTS (SELECT 1 {events} AND e.seq = t.moved AND e.to_status = t.status) ELSE {unborn} END",
    )
    yield (
        f"{name}_events_follow_on",
        f"SELECT e.id FROM state_events e WHERE e.machine = '{name}' AND COALESCE(e.from_status, '-') <> "
        "COALESCE((SELECT b.to_status FROM state_events b WHERE b.record_id = e.record_id AND b.seq = e.seq - 1), "
        f"'{'free' if record is Slot else '-'}')",
    )
    legal = [f"'{was}>{to}'" for was, targets in record.moves.items() for to in targets]
    yield (
        f"{name}_moves_are_legal",
        f"SELECT id FROM state_events WHERE machine = '{name}' AND from_status IS NOT NULL "
        f"AND from_status || '>' || to_status NOT IN ({', '.join(sorted(legal))})",
    )
