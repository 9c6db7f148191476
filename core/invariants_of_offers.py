"""What must always hold of the numbers that are held for whoever lost theirs by a suspension: part of
`core/invariants.py`."""

from __future__ import annotations

from collections.abc import Mapping

OF_OFFERS: Mapping[str, str] = {
    "offered_slot_has_its_offer": "SELECT s.id FROM slots s WHERE s.withheld_reason = 'offered' AND NOT EXISTS "
    "(SELECT 1 FROM offers o WHERE o.slot_id = s.id AND o.status = 'open')",
    "open_offer_has_its_slot": "SELECT o.id FROM offers o JOIN slots s ON s.id = o.slot_id WHERE o.status = 'open' "
    "AND s.status <> 'suspended' AND COALESCE(s.withheld_reason, '-') <> 'offered'",
    # While the hospital has yet to agree to one that was taken, the others wait with it.
    "offer_ends": "SELECT o.id FROM offers o WHERE o.status = 'open' AND o.expires_at < :ten_minutes_ago "
    "AND NOT EXISTS (SELECT 1 FROM offers t JOIN appointments n ON n.id = t.accepted_as_id "
    "WHERE t.appointment_id = o.appointment_id AND n.status = 'pending' AND n.beside_replaced)",
    "taken_offer_has_its_appointment": "SELECT o.id FROM offers o JOIN appointments n ON n.id = o.accepted_as_id "
    "JOIN appointments a ON a.id = o.appointment_id WHERE n.replaces_id IS NULL OR n.replaces_id <> a.id "
    "OR n.slot_id <> o.slot_id OR n.person_id <> a.person_id OR n.fee_fen > a.fee_fen "
    "OR (a.status <> 'cancelled' AND NOT n.beside_replaced)",
}
