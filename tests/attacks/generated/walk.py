"""A request that fits, for every operation: ids where ids stand, and a body that nothing is wrong with."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

from attacks.generated.world import Settled, World, new_child, new_key, new_person
from people import PROVIDER
from people_http import Patient
from werkzeug.test import TestResponse

from core.clock import hospital_day
from core.dependents.agreement_words import VERSION
from core.identity.consent_texts import current_version
from miniapp_api.auth import Auth
from models.account import Purpose
from schemas.base import instant_text

OWNED, FILTER, PUBLIC, MERCHANT = "owned", "filter", "public", "merchant"
"""Another's is 404; another's is as empty as nobody's; everybody's; one of our accounts at a platform."""

PLACES = {
    "alipay_app_event": {"path.app": MERCHANT},
    "alipay_event": {"path.merchant": MERCHANT},
    "alipay_identity_return": {"path.app": MERCHANT},
    "alipay_payment_return": {"path.merchant": MERCHANT},
    "appeal_strike": {"path.strike_id": OWNED},
    "cancel_own_appointment": {"path.appointment_id": OWNED},
    "change_dependent": {"path.dependent_id": OWNED, "body.guardian_dependent_id": OWNED},
    "create_dependent": {"body.guardian_dependent_id": OWNED},
    "check_in": {"path.appointment_id": OWNED},
    "complete_identity_check": {"path.check_id": OWNED},
    "create_account_grant": {"body.dependent_id": OWNED},
    "create_account_join": {"body.join_id": OWNED},
    "create_appointment": {"body.schedule_id": PUBLIC, "body.dependent_id": OWNED, "body.visit_card_id": OWNED},
    "create_bundle": {
        "body.items.schedule_id": PUBLIC,
        "body.items.dependent_id": OWNED,
        "body.items.visit_card_id": OWNED,
    },
    "create_consent": {"body.dependent_id": OWNED},
    "create_follow_up": {"path.appointment_id": OWNED, "body.schedule_id": PUBLIC},
    "create_hospital_card": {"path.dependent_id": OWNED, "body.hospital_id": PUBLIC},
    "create_identity_check": {"path.dependent_id": OWNED},
    "ask_for_agreement": {"path.dependent_id": OWNED},
    "give_agreement": {"path.dependent_id": OWNED},
    "revoke_dependent_agreement": {"path.dependent_id": OWNED},
    "take_back_agreement": {"path.agreement_id": OWNED},
    "create_waitlist_entry": {"body.dependent_ids": OWNED, "body.department_id": PUBLIC, "body.doctor_ids": PUBLIC},
    "delete_waitlist_entry": {"path.entry_id": OWNED},
    "get_appointment": {"path.appointment_id": OWNED},
    "get_department_doctors": {"path.department_id": PUBLIC},
    "get_department_schedules": {"path.department_id": PUBLIC, "query.doctor_id": FILTER},
    "get_dependent": {"path.dependent_id": OWNED},
    "get_doctor": {"path.doctor_id": PUBLIC},
    "get_eligibility": {"path.schedule_id": PUBLIC, "query.dependent_id": OWNED},
    "get_hospital": {"path.hospital_id": PUBLIC},
    "get_hospital_departments": {"path.hospital_id": PUBLIC},
    "get_hospital_schedules": {"path.hospital_id": PUBLIC, "query.department_id": FILTER},
    "end_account_grant": {"path.grant_id": OWNED},
    "delete_dependent": {"path.dependent_id": OWNED},
    "delete_hospital_card": {"path.dependent_id": OWNED, "path.card_id": OWNED},
    "list_hospital_cards": {"path.dependent_id": OWNED},
    "set_current_hospital_card": {"path.dependent_id": OWNED, "path.card_id": OWNED},
    "set_default_dependent": {"path.dependent_id": OWNED},
    "get_miniapp_link": {"path.dependent_id": OWNED},
    "get_payment": {"path.payment_id": OWNED},
    "get_schedule_fairness": {"path.schedule_id": PUBLIC},
    "get_schedule_slots": {"path.schedule_id": PUBLIC},
    "get_visit_pass": {"path.appointment_id": OWNED},
    "greet_official_account": {"path.app": MERCHANT},
    "give_dependent_document": {"path.dependent_id": OWNED},
    "hear_follower": {"path.app": MERCHANT},
    "list_own_appointments": {"query.dependent_id": FILTER},
    "log_in_by_page": {"path.app": MERCHANT},
    "name_dependent_guardian": {"path.dependent_id": OWNED, "body.guardian_dependent_id": OWNED},
    "open_payment": {"path.appointment_id": OWNED},
    "reschedule_own_appointment": {"path.appointment_id": OWNED, "body.schedule_id": PUBLIC},
    "take_offer": {"path.offer_id": OWNED},
    "refuse_own_offer": {"path.offer_id": OWNED},
    "undo_account_join": {"path.join_id": OWNED},
    "show_department": {"path.department_id": PUBLIC},
    "show_doctor": {"path.doctor_id": PUBLIC},
    "wechat_payment_event": {"path.merchant": MERCHANT},
    "wechat_refund_event": {"path.merchant": MERCHANT},
}
"""Every place of every operation where an id can stand. A new one without a line here fails."""

BODIES: dict[str, dict[str, Any]] = {
    "accept_account_grant": {"code": "AAAA-AAAA-AAAA"},
    "appeal_strike": {"text": "当天已到院就诊"},
    "cancel_own_appointment": {},
    "change_dependent": {"phone": "13900000001"},
    "check_in": {"lat": 32.05, "lng": 118.78},
    "complete_identity_check": {},
    "create_account_grant": {"scopes": ["book"]},
    "create_account_join": {},
    "create_appointment": {"pay": "on_site"},
    "create_bundle": {"pay": "on_site"},
    "create_consent": {"purpose": "face", "version": current_version(Purpose.FACE), "granted": False},
    "create_hospital_card": {"number": "0012345678"},
    "create_identity_check": {"method": "on_site"},
    "create_dependent": {},  # a new person each time
    "create_waitlist_entry": {"pay": "online"},
    "create_session": {"provider": PROVIDER, "code": "code-of-somebody"},
    "ask_for_agreement": {"way": "phone_code"},
    "give_agreement": {"way": "face", "version": VERSION},
    "give_dependent_document": {"id_type": "birth_certificate", "id_number": "A123456789"},
    "name_dependent_guardian": {"relation": "51", "evidence": "declared"},
    "open_payment": {"channel": "wechat_jsapi"},
    "create_follow_up": {},
    "reschedule_own_appointment": {},
    "send_phone_code": {"phone": "13800000000"},
    "set_account_phone": {"provider": PROVIDER, "code": "phone-13800000000"},
}
QUERIES = {
    "get_hospital_schedules": {"date": "2026-11-25"},
    "get_page_signature": {"url": "http://127.0.0.1:8000/h5/"},
    "get_search": {"q": "ceshi"},
    "greet_official_account": {"signature": "right", "echostr": "42"},
    "open_miniapp": {"scene": "doctor:019abf4d-c000-7000-8000-000000000001"},
}
KINDS = {
    "create_account_grant": {"body.dependent_id": "oneself"},
    "change_dependent": {"path.dependent_id": "ward", "body.guardian_dependent_id": "dependent"},
    "create_appointment": {"body.visit_card_id": "card"},
    "create_bundle": {
        "body.items.schedule_id": "schedule",
        "body.items.dependent_id": "dependent",
        "body.items.visit_card_id": "card",
    },
    "create_waitlist_entry": {
        "body.dependent_ids": "dependent",
        "body.department_id": "full_department",
        "body.doctor_ids": "full_doctor",
    },
    "create_dependent": {"body.guardian_dependent_id": "dependent"},
    "create_follow_up": {"path.appointment_id": "visited"},
    "create_hospital_card": {"path.dependent_id": "ward"},
    "check_in": {"path.appointment_id": "today"},
    "delete_dependent": {"path.dependent_id": "spare"},
    "get_visit_pass": {"path.appointment_id": "booked"},
    "ask_for_agreement": {"path.dependent_id": "spouse"},
    "give_agreement": {"path.dependent_id": "spouse"},
    "give_dependent_document": {"path.dependent_id": "ward"},
    "name_dependent_guardian": {"path.dependent_id": "ward", "body.guardian_dependent_id": "dependent"},
    "revoke_dependent_agreement": {"path.dependent_id": "spouse"},
    "take_back_agreement": {"path.agreement_id": "given"},
    "greet_official_account": {"path.app": "official"},
    "hear_follower": {"path.app": "official"},
    "log_in_by_page": {"path.app": "official"},
    "reschedule_own_appointment": {"path.appointment_id": "booked"},
    "undo_account_join": {"path.join_id": "joined"},
}


_ITEMS = "items."


def kind_of(operation: str, place: str) -> str:
    return KINDS.get(operation, {}).get(place) or place.partition(".")[2].removesuffix("_id")


def request_of(world: World, name: str, ids: dict[str, str]) -> dict[str, Any]:
    """The operation with these ids in their places, as arguments of a test client's `open`."""
    operation = world.operations[name]
    path, body, query = operation.rule, dict(BODIES.get(name, {})), dict(QUERIES.get(name, {}))
    if name == "create_dependent":
        body = new_child() if "body.guardian_dependent_id" in ids else new_person()
    if name == "create_account_grant":
        body["to_at"] = instant_text(world.clock.now() + timedelta(days=30))
    if name == "create_waitlist_entry":
        day = (hospital_day(world.clock.now()) + timedelta(days=3)).isoformat()
        body |= {"date_from": day, "date_to": day}
    if name == "create_bundle":
        body["items"] = items_of(ids)
    for place, wanted in ids.items():
        where, _, field = place.partition(".")
        if field.startswith(_ITEMS):
            continue
        if where == "path":
            path = re.sub(rf"<(uuid:)?{field}>", wanted, path)
        else:
            (body if where == "body" else query)[field] = [wanted] if field.endswith("_ids") else wanted
    assert "<" not in path, path
    request: dict[str, Any] = {"path": path, "method": operation.method, "query_string": query}
    if name in BODIES:
        request["json"] = body
    if operation.auth is Auth.SIGNATURE:
        request["data"] = world.message()
    return request | {"headers": {"Idempotency-Key": new_key()} if operation.keyed else {}}


def items_of(ids: dict[str, str]) -> list[dict[str, str]]:
    """What is named, and beside it somebody else on the same half day."""
    place = f"body.{_ITEMS}"
    first = {one.removeprefix(place): wanted for one, wanted in ids.items() if one.startswith(place)}
    beside = first.pop("beside", str(uuid4()))
    return [first, {"schedule_id": first["schedule_id"], "dependent_id": beside}]


def ask(world: World, patient: Patient, name: str, ids: dict[str, str]) -> TestResponse:
    request = request_of(world, name, ids)
    request["headers"]["Authorization"] = f"Bearer {patient.token}"
    return patient.client.open(**request)


def own_ids(name: str, settled: Settled) -> dict[str, str]:
    """Each place filled with what is the account's own, or everybody's; a filter is left out. A code is no id, and has
    to be one that waits."""
    code = {"body.code": settled.ids["code"]} if name == "accept_account_grant" else {}
    if name == "create_bundle":
        code = {f"body.{_ITEMS}beside": settled.ids["oneself"]}
    return code | {
        place: settled.ids[kind_of(name, place)] for place, kind in PLACES.get(name, {}).items() if kind != FILTER
    }
