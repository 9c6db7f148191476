"""Every patient route asks for a login that is alive."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ward import OPERATIONS, PRIVATE, Ward, request_of
from wire import Phone

from miniapp_api.auth import Auth
from models.base import new_id

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
FOR_PATIENTS = sorted(name for name, operation in OPERATIONS.items() if operation.auth is Auth.LOGIN)
OPEN = {
    "alipay_identity_return", "alipay_payment_return", "create_session", "get_department_doctors",
    "get_department_schedules", "get_doctor", "get_health", "get_hospital", "get_hospital_departments",
    "get_hospital_schedules", "get_hospitals", "get_readiness", "get_schedule_fairness", "get_schedule_slots",
    "get_search", "get_time", "list_consent_texts", "log_in_by_page", "open_miniapp", "show_department", "show_doctor",
    "show_home",
}  # fmt: skip
"""Whoever adds to this list has decided that nobody needs to log in for it."""


def test_only_these_are_open(ward: Ward) -> None:
    assert {name for name, operation in OPERATIONS.items() if operation.auth is Auth.NONE} == OPEN


def dead_logins(ward: Ward) -> dict[str, dict[str, str]]:
    """Headers that log nobody in."""
    revoked = ward.log_in("leaver", agreed=False)
    assert revoked.send("DELETE", "/sessions/current").status == 204
    live = ward.log_in("somebody", agreed=False)
    return {
        "none": {},
        "empty": {"Authorization": ""},
        "another scheme": {"Authorization": f"Basic {live.token}"},
        "no scheme": {"Authorization": live.token},
        "unknown": {"Authorization": f"Bearer {'x' * 43}"},
        "cut": {"Authorization": f"Bearer {live.token[:-1]}"},
        "longer": {"Authorization": f"Bearer {live.token}x"},
        "in another case": {"Authorization": f"Bearer {live.token.swapcase()}"},
        "in the query's way": {"X-Authorization": f"Bearer {live.token}"},
        "an id": {"Authorization": f"Bearer {new_id()}"},
        "revoked": {"Authorization": f"Bearer {revoked.token}"},
    }


def test_every_patient_route_refuses_a_dead_login(ward: Ward, owner: Phone) -> None:
    dead = dead_logins(ward)
    expired = {"Authorization": f"Bearer {owner.token}"}
    for name in FOR_PATIENTS:
        method, path, body, headers = request_of(OPERATIONS[name], ward.ids)
        for kind, login in dead.items():
            reply = ward.send(method, path, body, headers | login)
            assert (reply.status, reply.code) == (401, "unauthenticated"), (name, kind)
    ward.clock.advance(timedelta(days=30))
    for name in FOR_PATIENTS:
        method, path, body, headers = request_of(OPERATIONS[name], ward.ids)
        assert ward.send(method, path, body, headers | expired).code == "unauthenticated", (name, "expired")


def test_a_login_is_asked_for_before_anything_else_is_told(ward: Ward) -> None:
    """Neither a field's fault nor whether an id exists reaches somebody who is not logged in."""
    nothing = dict.fromkeys(PRIVATE, str(new_id()))
    nothing |= dict.fromkeys(("department_id", "doctor_id", "hospital_id", "schedule_id"), str(new_id()))
    for name in FOR_PATIENTS:
        method, path, _, _ = request_of(OPERATIONS[name], nothing)
        assert ward.send(method, path, {"nonsense": 1} if method != "GET" else None).code == "unauthenticated", name
