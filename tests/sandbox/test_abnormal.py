"""What did not arrive is sent elsewhere (protocol section 4.6; row F-53)."""

from base64 import b64encode
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1

from sandbox.testing import eventually

CARD, NAME = "6222020200112233445", "张三"


@pytest.fixture
def refund_id(box: Any) -> str:
    number = box.paid()
    box.fault("refund.create", "abnormal", times=1)
    found: str = box.demo.refund(number, "R1", 1500, box.url).json()["refund_id"]
    assert box.notice(number, kind="refund")["event_type"] == "REFUND.ABNORMAL"
    return found


def sealed(box: Any, text: str) -> str:
    key = box.demo.platform_keys()[box.demo.credentials["public_key_id"]]
    return b64encode(key.encrypt(text.encode(), OAEP(MGF1(SHA1()), SHA1(), None))).decode()


def to_card(box: Any, refund_id: str, **changes: Any) -> requests.Response:
    body = {"out_refund_no": "R1", "type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT"}
    if "bank_account" not in changes:
        body["bank_account"] = sealed(box, CARD)
    if "real_name" not in changes:
        body["real_name"] = sealed(box, NAME)
    sent = {name: value for name, value in (body | changes).items() if value is not None}
    answer: requests.Response = box.demo.call(
        "POST", f"/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund", sent
    )
    return answer


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def events(box: Any) -> list[str]:
    return [one["event_type"] for one in box.control.items("/notices", kind="refund")]


def test_it_goes_to_the_card_and_is_told_as_done(box: Any, refund_id: str) -> None:
    answer = to_card(box, refund_id).json()
    assert (answer["status"], answer["refund_id"], answer["out_refund_no"]) == ("PROCESSING", refund_id, "R1")
    assert answer["user_received_account"] == "工商银行借记卡3445"
    eventually(lambda: sorted(events(box)) == ["REFUND.ABNORMAL", "REFUND.SUCCESS"])
    assert box.demo.query_refund("R1").json()["status"] == "SUCCESS"
    assert code(to_card(box, refund_id)) == (400, "INVALID_REQUEST")


def test_asked_again_while_it_is_on_its_way_it_is_the_same(box: Any, refund_id: str) -> None:
    box.fault("refund.abnormal", "processing", times=1)
    first, again = to_card(box, refund_id).json(), to_card(box, refund_id).json()
    assert (first, first["status"]) == (again, "PROCESSING")
    assert code(to_card(box, refund_id, bank_type="CMB_DEBIT")) == (400, "INVALID_REQUEST")
    box.control.post("/refunds/R1/settle")
    assert box.demo.query_refund("R1").json()["status"] == "SUCCESS"


def test_it_may_fail_to_arrive_there_too(box: Any, refund_id: str) -> None:
    box.fault("refund.abnormal", "abnormal", times=1)
    assert to_card(box, refund_id).json()["status"] == "PROCESSING"
    eventually(lambda: events(box) == ["REFUND.ABNORMAL", "REFUND.ABNORMAL"])
    assert box.demo.query_refund("R1").json()["status"] == "ABNORMAL"
    assert to_card(box, refund_id).status_code == 200


def test_the_merchants_own_account_needs_no_card(box: Any, refund_id: str) -> None:
    answer = to_card(box, refund_id, type="MERCHANT_BANK_CARD", bank_type=None, bank_account=None, real_name=None)
    assert (answer.status_code, answer.json()["user_received_account"]) == (200, "商户结算银行账户")


def test_what_cannot_be_is_refused(box: Any, refund_id: str) -> None:
    wrong: list[dict[str, Any]] = [
        {"bank_account": None},
        {"real_name": None},
        {"bank_type": None},
        {"bank_type": "ICBC_CREDIT"},
        {"type": "OTHER"},
        {"bank_account": CARD},
        {"bank_account": sealed(box, "6222")},
        {"real_name": sealed(box, "")},
        {"card": "x"},
    ]
    for change in wrong:
        assert code(to_card(box, refund_id, **change)) == (400, "PARAM_ERROR"), change
    assert code(to_card(box, "503000")) == (404, "RESOURCE_NOT_EXISTS")
    assert code(to_card(box, refund_id, out_refund_no="R2")) == (404, "RESOURCE_NOT_EXISTS")
    box.fault("refund.abnormal", "not_enough", times=1)
    assert code(to_card(box, refund_id)) == (403, "NOT_ENOUGH")
    assert box.demo.query_refund("R1").json()["status"] == "ABNORMAL"


def test_nobody_opens_what_was_sealed_for_a_key_that_is_not_named(box: Any, refund_id: str) -> None:
    sent = {"bank_account": sealed(box, CARD), "real_name": sealed(box, NAME)}
    box.demo.credentials = {**box.demo.credentials}
    del box.demo.credentials["public_key_id"]
    assert code(to_card(box, refund_id, **sent)) == (400, "PARAM_ERROR")
