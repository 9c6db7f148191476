"""F-08, F-13: every answer of the register, from a phone with either wallet to the row: what matches is level 1, what
does not has failed, and who does not answer is waited for while the other ways stay open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from people import resident_id
from stage import Stage, on_stage_with
from ward import agree
from wire import Phone

from core.invariants import check_invariants
from sandbox.testing import running_sandbox

WALLETS = ("wechat_miniapp", "alipay_miniapp")


class Case(NamedTuple):
    name: str
    number: str
    status: str
    level: int
    reason: str | None


CASES = [
    Case("测试甲", "330102199001019973", "passed", 1, None),
    Case("测试乙", "320106198812259988", "passed", 1, None),
    Case("测试乙", "330102199001019973", "failed", 0, "mismatch"),
    Case("测试丙", "110101196201019969", "passed", 1, None),
    Case("测试卯", "310101192601019975", "failed", 0, "no_record"),
    Case("测试壬", "440304201211239981", "passed", 1, None),
    Case("测试辰", "330104198506159996", "passed", 1, None),
    Case("测试午", "441900199510109974", "pending", 0, None),
    Case("测试未", "429004199303039969", "pending", 0, None),
    Case("测试申", "37010219920303997X", "passed", 1, None),
]
"""Made-up persons; two whose register is down, or has had enough."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(f"register-{request.param}")
    with (
        running_sandbox(folder / "sandbox", settle_delay=0.01) as platform,
        on_stage_with(request.param, request, platform, folder) as opened,
    ):
        yield opened


def logged_in(stage: Stage, provider: str, name: str) -> Phone:
    code = stage.control("POST", "/login-codes", {"provider": provider, "open_id": name})["code"]
    session = stage.town.send("POST", "/api/v1/sessions", {"provider": provider, "code": code}, {})
    assert session.status == 201, session
    phone = Phone(stage.town.send, session.json["token"])
    agree(phone, "service")
    agree(phone, "sensitive_identity")
    return phone


@pytest.mark.parametrize("provider", WALLETS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}-{case.status}")
def test_f_13_each_answer_of_the_register_ends_as_it_must(stage: Stage, provider: str, case: Case) -> None:
    phone = logged_in(stage, provider, f"o-{provider}-{case.number}-{case.status}")
    typed = {"name": case.name, "id_type": "resident_id", "id_number": case.number, "phone": "13800000000"}
    added = phone.post("/dependents", typed | {"relationship": "self"})
    assert added.status == 201, added
    assert "name_match" in added.json["identity"]["methods"]
    begun = phone.post(f"/dependents/{added.json['id']}/identity-checks", {"method": "name_match"})
    assert (begun.status, begun.json["status"], begun.json.get("reason")) == (201, case.status, case.reason)
    identity = phone.get(f"/dependents/{added.json['id']}")["identity"]
    assert (identity["level"], identity["methods"][-1]) == (case.level, "on_site")
    assert ("name_match" in identity["methods"]) is (case.level == 0)


def test_what_was_down_is_asked_again_by_the_job(stage: Stage) -> None:
    """The patient may have gone; the check ends all the same."""
    number = resident_id(order=931)
    stage.control("POST", "/realname", {"id_number": number, "answer": "SERVICE_DOWN"})
    phone = logged_in(stage, "wechat_miniapp", "o-asked-again")
    typed = {"name": "测试午", "id_type": "resident_id", "id_number": number, "phone": "13800000000"}
    dependent_id = phone.post("/dependents", typed | {"relationship": "self"}).json["id"]
    begun = phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": "name_match"})
    assert begun.json["status"] == "pending"
    stage.control("POST", "/realname", {"id_number": number, "answer": "MATCH"})
    identity = phone.get(f"/dependents/{dependent_id}")["identity"]
    stage.work_until(
        lambda: phone.get(f"/dependents/{dependent_id}")["identity"]["level"] == 1, "the register was asked", step=20
    )
    assert identity["level"] == 0


def test_no_row_is_out_of_order_afterwards(stage: Stage) -> None:
    with stage.town.database.read() as session:
        assert check_invariants(session, now=stage.clock.now()) == []
