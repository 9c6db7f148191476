"""What must hold of money, and of the books (I-10), which say the same: part of `core/invariants.py`."""

from __future__ import annotations

from collections.abc import Mapping

_HOLDS = "('pending','booked','arrived','fulfilled','noshow')"

# Money received on a charge that is neither given back nor on its way back.
_KEPT = """(SELECT COALESCE(SUM(p.received_fen), 0) FROM payments p WHERE p.charge_id = c.id AND p.status = 'succeeded')
 - (SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.charge_id = c.id AND r.status <> 'closed')"""
# Of it what is for one that only its hospital has yet to confirm, and for the one whose place it takes as well.
_FOR_BOTH = f"""(SELECT COALESCE(SUM(CASE WHEN a.fee_fen < o.fee_fen THEN a.fee_fen ELSE o.fee_fen END), 0)
 FROM appointments a JOIN appointments o ON o.id = a.replaces_id WHERE a.charge_id = c.id AND a.status = 'pending'
 AND a.beside_replaced AND a.pay_mode = 'online' AND NOT a.awaiting_payment AND o.status IN {_HOLDS})"""

# What the platform has, or may have, of what was sold.
_WENT = """r.status IN ('processing','unknown','abnormal','succeeded') AND NOT r.by_hand
 AND r.reason IN ('cancelled','suspended','rescheduled','price_lowered')"""
# A number in the place of a closed one is of the same money, which was due before.
_DUE_SINCE = """(SELECT MIN(o.created_at) FROM refunds o WHERE o.id = r.id OR (o.status = 'closed'
 AND o.payment_id = r.payment_id AND o.reason = r.reason AND o.amount_fen = r.amount_fen))"""
_SAYS_OF_RED = "(SELECT CAST(p.document->>'red_receipt_before_refund' AS TEXT) FROM booking_policies p WHERE {whose})"
_OF_HOSPITAL = "p.level = 'hospital' AND p.subject = (SELECT h.code FROM hospitals h WHERE h.id = r.hospital_id)"
_OF_PLATFORM = "p.level = 'platform'"
_WANTS_RED_FIRST = f"""COALESCE({_SAYS_OF_RED.format(whose=_OF_HOSPITAL)}, {_SAYS_OF_RED.format(whose=_OF_PLATFORM)},
 'false') IN ('true','1') AND NOT EXISTS (SELECT 1 FROM booking_policies p WHERE p.updated_at >= r.created_at
 AND ({_OF_HOSPITAL} OR {_OF_PLATFORM}))"""

_MOVED = "FROM journals j JOIN ledger_entries e ON e.journal_id = j.id"


def _told(kind: str, subject: str, account: str, amount: str) -> str:
    """That a journal of this kind stands for the subject, with this amount at the account."""
    return (
        f"EXISTS (SELECT 1 {_MOVED} WHERE j.kind = '{kind}' AND j.subject_id = {subject} "
        f"AND e.account = '{account}' AND e.amount_fen = {amount})"
    )


OF_MONEY: Mapping[str, str] = {
    "kept_money_is_what_is_due": f"SELECT c.id FROM charges c WHERE {_KEPT} + {_FOR_BOTH} <> (SELECT "
    "COALESCE(SUM(l.amount_fen), 0) FROM charge_lines l JOIN appointments a ON a.id = l.appointment_id "
    f"WHERE l.charge_id = c.id AND l.voided_at IS NULL AND a.status IN {_HOLDS} AND a.pay_mode = 'online' "
    "AND NOT a.awaiting_payment)",
    "line_lives_with_its_appointment": "SELECT l.id FROM charge_lines l JOIN appointments a ON a.id = l.appointment_id "
    "WHERE (l.voided_at IS NOT NULL) <> (a.status = 'cancelled')",
    "price_is_the_fee": "SELECT a.id FROM appointments a WHERE a.fee_fen <> (SELECT COALESCE(SUM(l.amount_fen), 0) "
    "FROM charge_lines l WHERE l.appointment_id = a.id)",
    "refunds_within_payment": "SELECT p.id FROM payments p JOIN refunds r ON r.payment_id = p.id "
    "WHERE r.status <> 'closed' GROUP BY p.id, p.received_fen HAVING SUM(r.amount_fen) > COALESCE(p.received_fen, 0)",
    "each_is_given_back_what_it_cost": "SELECT a.id FROM appointments a WHERE (SELECT COALESCE(SUM(g.amount_fen), 0) "
    "FROM refund_lines g JOIN charge_lines l ON l.id = g.charge_line_id JOIN refunds r ON r.id = g.refund_id "
    "WHERE l.appointment_id = a.id AND r.status <> 'closed') > (SELECT COALESCE(SUM(l.amount_fen), 0) "
    "FROM charge_lines l WHERE l.appointment_id = a.id)",
    "payment_is_settled": "SELECT id FROM payments WHERE status IN ('created','pending','unknown') "
    "AND created_at < :last_retry",
    "refund_is_settled": "SELECT id FROM refunds WHERE status IN ('due','unknown') AND created_at < :last_retry "
    "AND awaits_red_since IS NULL",
    # Where nobody has said anything else since.
    "red_receipt_comes_first": "SELECT r.id FROM refunds r JOIN refund_lines x ON x.refund_id = r.id "
    "JOIN charge_lines l ON l.id = x.charge_line_id JOIN receipts b ON b.appointment_id = l.appointment_id "
    f"WHERE {_WENT} AND b.reddens_id IS NULL AND b.kept_at < {_DUE_SINCE} AND {_WANTS_RED_FIRST} "
    "AND NOT EXISTS (SELECT 1 FROM receipts n WHERE n.reddens_id = b.id)",
    "by_hand_is_two_peoples_word": "SELECT r.id FROM refunds r WHERE r.by_hand AND (r.status <> 'succeeded' OR "
    "NOT EXISTS (SELECT 1 FROM refund_decisions d WHERE d.refund_id = r.id AND d.way = 'by_hand' "
    "AND d.done_at IS NOT NULL))",
    "journal_comes_to_zero": "SELECT j.id FROM journals j LEFT JOIN ledger_entries e ON e.journal_id = j.id "
    "GROUP BY j.id HAVING COUNT(e.id) < 2 OR SUM(e.amount_fen) <> 0",
    "received_money_is_in_the_books": "SELECT p.id FROM payments p WHERE p.status = 'succeeded' AND p.received_fen > 0 "
    f"AND NOT {_told('payment_received', 'p.id', 'gateway', 'p.received_fen')}",
    "returned_money_is_in_the_books": "SELECT r.id FROM refunds r WHERE NOT "
    f"{_told('refund_due', 'r.id', 'returning', '-r.amount_fen')} OR (r.status = 'succeeded' AND NOT r.by_hand AND "
    f"NOT {_told('refund_paid', 'r.id', 'gateway', '-r.amount_fen')}) OR (r.by_hand AND NOT "
    f"{_told('refund_by_hand', 'r.id', 'desk', '-r.amount_fen')}) OR (r.status = 'closed' AND NOT "
    f"{_told('refund_withdrawn', 'r.id', 'charge', '-r.amount_fen')})",
    "books_tell_of_what_was": "SELECT j.id FROM journals j JOIN payments p ON p.id = j.payment_id "
    "LEFT JOIN refunds r ON r.id = j.refund_id WHERE CASE j.kind "
    "WHEN 'payment_received' THEN j.subject_id <> p.id OR p.status <> 'succeeded' "
    "WHEN 'refund_due' THEN r.id IS NULL OR j.subject_id <> r.id "
    "WHEN 'refund_paid' THEN r.id IS NULL OR j.subject_id <> r.id OR r.status <> 'succeeded' OR r.by_hand "
    "WHEN 'refund_by_hand' THEN r.id IS NULL OR j.subject_id <> r.id OR NOT r.by_hand "
    "WHEN 'refund_withdrawn' THEN r.id IS NULL OR j.subject_id <> r.id OR r.status <> 'closed' ELSE 1 = 0 END "
    "OR j.merchant <> p.merchant OR j.hospital_id <> p.hospital_id OR (r.id IS NOT NULL AND r.payment_id <> p.id) "
    "UNION ALL SELECT subject_id FROM journals GROUP BY kind, subject_id HAVING COUNT(*) > 1",
}
