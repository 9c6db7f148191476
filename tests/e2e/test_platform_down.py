"""F-13: a platform or register that is down, with either wallet: the check stays pending, the other ways are named and
open, and the check that waits is ended by the platform's word as soon as there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from cases import spoil
from people import resident_id
from stage import Stage, on_stage_with
from ward import agree
from wire import Phone, new_key

from sandbox.testing import running_sandbox


class Way(NamedTuple):
    """One face; `others` are the ways that a patient of this wallet has besides it."""

    provider: str
    method: str
    target: str
    reference: str
    order: int
    others: tuple[str, ...] = ("name_match", "phone_otp", "on_site")


FACES = [
    Way("wechat_miniapp", "wechat_face", "face.start", "verifyId", 811),
    Way("alipay_miniapp", "alipay_face", "alipay.face.start", "certifyId", 813),
]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(f"down-{request.param}")
    with (
        running_sandbox(folder / "sandbox", settle_delay=0.01) as platform,
        on_stage_with(request.param, request, platform, folder) as opened,
    ):
        yield opened


def somebody(stage: Stage, provider: str, order: int) -> tuple[Phone, str]:
    """A phone, and whom it may check by a face."""
    code = stage.control("POST", "/login-codes", {"provider": provider, "open_id": f"o-down-{provider}-{order}"})
    session = stage.town.send("POST", "/api/v1/sessions", {"provider": provider, "code": code["code"]}, {})
    phone = Phone(stage.town.send, session.json["token"])
    agree(phone, "service")
    agree(phone, "sensitive_identity")
    typed = {"name": "测试午", "id_type": "resident_id", "id_number": resident_id(order=order), "phone": "13800000000"}
    added = phone.post("/dependents", typed | {"relationship": "self"})
    assert added.status == 201, added
    agree(phone, "face", added.json["id"])
    return phone, str(added.json["id"])


@pytest.mark.parametrize("way", FACES, ids=lambda way: way.method)
def test_f_13_a_face_platform_that_is_down_leaves_it_pending_and_names_the_other_ways(stage: Stage, way: Way) -> None:
    phone, dependent_id = somebody(stage, way.provider, way.order)
    path, key = f"/dependents/{dependent_id}/identity-checks", new_key()
    spoil(stage, way.target, "error", status=503, times=1)
    down = phone.send("POST", path, {"method": way.method}, key=key)
    assert (down.status, down.code) == (503, "provider_unavailable")
    assert down.json["facts"] == {"methods": list(way.others)}
    identity = phone.get(f"/dependents/{dependent_id}")["identity"]
    assert (identity["status"], identity["level"]) == ("pending", 0)
    assert identity["methods"] == [way.method, *way.others]
    desk = phone.post(path, {"method": "on_site"})
    assert (desk.status, desk.json["status"]) == (201, "pending")
    begun = phone.send("POST", path, {"method": way.method}, key=key)
    assert (begun.status, begun.json["status"]) == (201, "pending")
    stage.control("POST", f"/identity/{begun.json['client_params'][way.reference]}/pass")
    spoil(stage, way.target.replace("start", "query"), "error", status=503, times=1)
    completion = f"/identity-checks/{begun.json['id']}/completion"
    silent = phone.send("POST", completion, {})
    assert (silent.status, silent.json) == (200, {"status": "pending", "level": 0})
    ended = phone.send("POST", completion, {})
    assert (ended.status, ended.json) == (200, {"status": "passed", "level": 2})


@pytest.mark.parametrize("provider", ["wechat_miniapp", "alipay_miniapp"])
def test_f_13_a_register_that_is_down_leaves_it_pending_beside_the_other_ways(stage: Stage, provider: str) -> None:
    order = 815 if provider == "wechat_miniapp" else 817
    phone, dependent_id = somebody(stage, provider, order)
    stage.control("POST", "/realname", {"id_number": resident_id(order=order), "answer": "SERVICE_DOWN"})
    begun = phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": "name_match"})
    assert (begun.status, begun.json["status"], begun.json["client_params"]) == (201, "pending", {})
    identity = phone.get(f"/dependents/{dependent_id}")["identity"]
    assert (identity["status"], identity["level"]) == ("pending", 0)
    face = "wechat_face" if provider == "wechat_miniapp" else "alipay_face"
    assert identity["methods"] == [face, "name_match", "phone_otp", "on_site"]
    for method in (face, "on_site"):
        other = phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": method})
        assert (other.status, other.json["status"]) == (201, "pending")
    assert phone.send("POST", f"/identity-checks/{begun.json['id']}/completion", {}).json["status"] == "pending"
