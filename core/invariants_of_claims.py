"""What must always hold of the claims that hospitals' own systems have: part of `core/invariants.py`."""

from __future__ import annotations

from collections.abc import Mapping

_HOLDS = "('pending','booked','arrived','fulfilled','noshow')"
_ASKED = "('none','held','unknown')"

OF_CLAIMS: Mapping[str, str] = {
    # Confirmed, one of a bundle waits for the others.
    "hospital_is_awaited_by_its_claim": "SELECT a.id FROM appointments a WHERE a.status = 'pending' "
    "AND a.awaiting_hospital AND NOT EXISTS (SELECT 1 FROM hospital_claims h WHERE h.appointment_id = a.id "
    f"AND (h.status IN {_ASKED} OR (h.status = 'confirmed' AND NOT a.beside_replaced AND EXISTS (SELECT 1 "
    "FROM appointments b JOIN hospital_claims i ON i.appointment_id = b.id WHERE b.charge_id = a.charge_id "
    f"AND b.status = 'pending' AND b.awaiting_hospital AND NOT b.beside_replaced AND i.status IN {_ASKED}))))",
    "booked_number_is_confirmed_there": f"SELECT a.id FROM appointments a WHERE a.status IN {_HOLDS} "
    "AND a.hospital_system IS NOT NULL AND NOT a.awaiting_hospital AND NOT EXISTS (SELECT 1 FROM hospital_claims h "
    "WHERE h.appointment_id = a.id AND h.status = 'confirmed')",
    "number_comes_back_last": "SELECT a.id FROM appointments a JOIN hospital_claims h ON h.appointment_id = a.id "
    "JOIN slots s ON s.id = a.slot_id WHERE a.status = 'cancelled' AND h.status IN ('held','confirmed','unknown') "
    "AND s.status NOT IN ('withheld','suspended')",
    "hospital_claim_is_settled": "SELECT h.id FROM hospital_claims h JOIN appointments a ON a.id = h.appointment_id "
    "WHERE a.created_at < :last_retry AND (h.status = 'unknown' OR (a.status = 'pending' AND a.awaiting_hospital))",
}
