"""From a page into the mini-program, for the one step that works only there, and the signature of a page of ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from fakes import ManualClock
from fakes_official import CLINIC, FakeMiniappLinks, FakeOfficialAccount
from official_http import Office, open_office
from people import APP, FakeVerifier
from people_http import SELF, Patient

from core.ports import ProviderRefused, ProviderUnavailable
from miniapp_api.config import Config
from models.base import new_id

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def office(config: Config, clock: ManualClock) -> Iterator[Office]:
    with open_office(config, clock) as opened:
        opened.adapters.faces = [FakeVerifier(app=APP)]
        yield opened


def with_dependent(patient: Patient) -> str:
    patient.agree("service")
    patient.agree("sensitive_identity")
    return patient.add(SELF)


def sign(patient: Patient, url: str) -> tuple[int, object]:
    answer = patient.get(f"/page-signature?url={quote(url, safe='')}")
    return answer.status_code, answer.json.get("client_params") or answer.json["code"]


# --- the link --------------------------------------------------------------------------------------------------------


def test_a_page_leads_to_the_face_check_and_keeps_the_other_ways(office: Office) -> None:
    patient = office.follower("an")
    dependent_id = with_dependent(patient)
    told = patient.get(f"/dependents/{dependent_id}").json["identity"]["methods"]
    assert "wechat_face" not in told
    assert "on_site" in told
    answer = patient.get(f"/dependents/{dependent_id}/miniapp-link")
    assert (answer.status_code, set(answer.json)) == (200, {"url", "expires_at"})
    assert answer.json["expires_at"] == "2026-11-23T02:00:00.000Z"
    assert office.links.opened == [("pages/identity/index", {"dependent_id": dependent_id}, timedelta(days=1))]
    in_miniapp = office.miniapp_user("an").get(f"/dependents/{dependent_id}").json["identity"]["methods"]
    assert "wechat_face" in in_miniapp


def test_of_anothers_dependent_there_is_no_link(office: Office) -> None:
    dependent_id = with_dependent(office.follower("an"))
    for wanted in (dependent_id, new_id()):
        assert office.follower("other").get(f"/dependents/{wanted}/miniapp-link").status_code == 404
    assert office.links.opened == []


def test_a_login_that_no_mini_program_goes_with_has_none(office: Office) -> None:
    patient = office.miniapp_user("an")
    answer = patient.get(f"/dependents/{with_dependent(patient)}/miniapp-link")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("failure", [ProviderUnavailable("down"), ProviderRefused("45009", "quota")])
def test_where_the_platform_gives_none_it_is_said(office: Office, failure: Exception) -> None:
    patient = office.follower("an")
    dependent_id = with_dependent(patient)
    office.links.failure = failure
    answer = patient.get(f"/dependents/{dependent_id}/miniapp-link")
    assert (answer.status_code, answer.json["code"]) == (503, "provider_unavailable")


def test_the_platform_is_asked_outside_of_any_transaction(office: Office) -> None:
    patient = office.follower("an")
    dependent_id = with_dependent(patient)

    class Looking(FakeMiniappLinks):
        def link(self, path: str, query: object, *, lasts: timedelta) -> str:
            with office.workbench.transactions.database.write() as session:
                session.connection()
            return "https://wxaurl.example/x"

    office.adapters.links["wechat_official", CLINIC] = Looking()
    assert patient.get(f"/dependents/{dependent_id}/miniapp-link").status_code == 200


# --- the signature ---------------------------------------------------------------------------------------------------


def test_a_page_of_ours_is_signed_for_who_came_by_the_account(office: Office) -> None:
    url = f"{BASE}/h5/?view=appointments&x=%E4%B8%AD"
    status, told = sign(office.follower("an"), url)
    assert (status, set(told)) == (200, {"appId", "timestamp", "nonceStr", "signature"})  # type: ignore[call-overload]
    assert office.account.signed == [url]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/h5/", f"{BASE}.evil.example/h5/", f"{BASE}@evil.example/", f"{BASE}0/h5/", BASE, "/h5/",
        f"//{BASE}/h5/", f"{BASE}\\@evil.example/", f"{BASE}/h5/\r\nx", f"{BASE}/h5/ x", f"{BASE}/h5/中", "",
        "javascript:alert(1)", "HTTP://127.0.0.1:8000/h5/", f"{BASE}/" + "a" * 1024, f"{BASE}/<script>",
    ],
)  # fmt: skip
def test_no_other_address_is_signed(office: Office, url: str) -> None:
    assert sign(office.follower("an"), url) == (422, "validation_failed")
    assert office.account.signed == []


def test_for_other_logins_there_is_no_signature(office: Office) -> None:
    office.adapters.officials[APP] = FakeOfficialAccount(APP)  # of that name, but not of that kind
    assert sign(office.miniapp_user("an"), f"{BASE}/h5/") == (404, "not_found")
    del office.adapters.officials[APP]
    assert sign(office.miniapp_user("an"), f"{BASE}/h5/") == (404, "not_found")


def test_without_a_ticket_of_the_platform_there_is_no_signature(office: Office) -> None:
    office.account.failure = ProviderUnavailable("down")
    assert sign(office.follower("an"), f"{BASE}/h5/") == (503, "provider_unavailable")
