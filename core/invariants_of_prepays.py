"""What must always hold of prepays that are open at a platform: part of `core/invariants.py`."""

from __future__ import annotations

from collections.abc import Mapping

# What a platform may still take money for, unless its hold waited for that until the cap.
_MAY_BE_PAID = "p.status IN ('created','pending','unknown') AND NOT p.let_go"

OF_PREPAYS: Mapping[str, str] = {
    "hold_ends_with_its_prepay": "SELECT a.id FROM appointments a WHERE a.status = 'pending' AND a.awaiting_payment "
    "AND a.hold_expires_at < :a_minute_ago AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.charge_id = a.charge_id "
    f"AND {_MAY_BE_PAID})",
    # Close before release: nobody pays for a number that another may have by now.
    "prepay_is_closed_before_its_number_comes_back": "SELECT a.id FROM appointments a JOIN slots s ON s.id = a.slot_id "
    "WHERE a.status = 'cancelled' AND (s.status IN ('free','held','booked') OR s.withheld_reason = 'cooling') "
    f"AND EXISTS (SELECT 1 FROM payments p WHERE p.charge_id = a.charge_id AND {_MAY_BE_PAID} "
    "AND p.created_at < a.ended_at) AND NOT EXISTS (SELECT 1 FROM appointments o WHERE o.charge_id = a.charge_id "
    "AND o.status = 'pending' AND o.awaiting_payment)",
}
