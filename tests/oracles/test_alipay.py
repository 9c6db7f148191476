"""Our Alipay adapter with Alipay's own SDK at the other end, which would have sent the same and believes the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from alipay_side import NUMBER, REFUND_NUMBER
from oracles.alipay import CONTENTS, ODD, TRADE_NO, Alipay, Request

from core.ports import (
    CloseOutcome,
    FaceSubject,
    IdKind,
    PaymentOrder,
    PhoneRefused,
    ProviderRefused,
    ProviderUnavailable,
    RefundOrder,
    RefundState,
    TradeState,
)
from integrations.alipay import AlipayAccount, AlipayFaceVerifier, AlipayGateway, AlipayMiniappLogin, AlipayPhoneProver

NOTIFY = "https://hospital.example/callbacks/alipay/renmin"
OPEN_ID = "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"
SUBJECT = FaceSubject("resident_id", "欧阳·“三”", "11010519491231002x", OPEN_ID)


def gateway_of(account: AlipayAccount) -> AlipayGateway:
    return AlipayGateway(account, notify_url=NOTIFY)


def open_payment(account: AlipayAccount) -> Any:
    expires_at = datetime.now(UTC) + timedelta(minutes=15)
    order = PaymentOrder(NUMBER, 5005, "CNY", ODD, OPEN_ID, IdKind.OPEN_ID, expires_at)
    return gateway_of(account).open_payment(order)


def open_refund(account: AlipayAccount) -> Any:
    return gateway_of(account).open_refund(RefundOrder(REFUND_NUMBER, NUMBER, 2000, 5005, "CNY", ODD))


def start_face(account: AlipayAccount) -> Any:
    return AlipayFaceVerifier(account, return_url=NOTIFY).start(out_seq_no="0123456789abcdef", subject=SUBJECT)


ACTS: dict[str, Callable[[AlipayAccount], Any]] = {
    "alipay.trade.create": open_payment,
    "alipay.trade.query": lambda account: gateway_of(account).find_payment(NUMBER),
    "alipay.trade.close": lambda account: gateway_of(account).close_payment(NUMBER),
    "alipay.trade.refund": open_refund,
    "alipay.trade.fastpay.refund.query": lambda account: gateway_of(account).find_refund(
        REFUND_NUMBER, out_trade_no=NUMBER
    ),
    "alipay.system.oauth.token": lambda account: AlipayMiniappLogin(account).exchange_code("4b203fe6c11548bcabd8"),
    "alipay.user.certify.open.initialize": start_face,
}


def test_each_request_is_the_one_of_the_sdk_and_each_answer_is_believed(
    alipay_account: AlipayAccount, alipay: Alipay
) -> None:
    told = [act(alipay_account) for act in ACTS.values()]
    opened, trade, closed, refund, refunded, user, face = told
    assert [one.method for one in alipay.asked] == list(ACTS) == list(CONTENTS)
    assert opened == {"tradeNO": TRADE_NO}
    assert (trade.state, trade.amount_fen, trade.funding) == (TradeState.PAID, 5005, "BANKCARD DEBIT_CARD")
    assert (closed, refund.state) == (CloseOutcome.CLOSED, RefundState.PROCESSING)
    assert (refunded.state, refunded.amount_fen, refunded.received_account) == (
        RefundState.SUCCEEDED,
        2000,
        "已退回银行卡",
    )
    assert (user.open_id, face.reference) == ("o/+=张", "4a13ffed52c8449dbfeed62ffbe88fb4")
    content = json.loads(alipay.asked[0].body["biz_content"])
    assert (content["subject"], content["total_amount"], content["buyer_open_id"]) == (ODD, "50.05", OPEN_ID)


def test_the_page_that_a_phone_opens_has_the_signature_of_the_sdk(
    alipay_account: AlipayAccount, alipay: Alipay
) -> None:
    query = dict(parse_qsl(urlsplit(start_face(alipay_account).client_params["url"]).query, strict_parsing=True))
    assert alipay.sdk("remade", fields=query)["fields"] == query
    changed = query | {"return_url": query["return_url"] + "/"}
    assert alipay.sdk("remade", fields=changed)["fields"] != changed


def test_a_request_with_a_single_change_is_another_one(alipay_account: AlipayAccount, alipay: Alipay) -> None:
    """Else nothing above would show that our signatures are right."""
    for act in ACTS.values():
        act(alipay_account)
    for request in alipay.asked:
        assert alipay.proves(request)
        for part in ("query", "body"):
            for name, value in getattr(request, part).items():
                changed = replace(request, **{part: getattr(request, part) | {name: value[:-1] + other(value[-1])}})
                assert not alipay.proves(changed), name
        moved = Request({**request.query, **request.body}, {})
        assert not alipay.proves(moved)


@pytest.mark.parametrize("alipay_files", ["key"], indirect=True)  # a certificate would name the key
def test_a_merchant_whose_key_is_not_registered_is_refused(alipay_account: AlipayAccount, strange_key: Any) -> None:
    account = replace(alipay_account, private_key_pem=strange_key.private)
    for act in ACTS.values():
        with pytest.raises(ProviderRefused, match=r"isv\.invalid-signature"):
            act(account)


# --- answers ----------------------------------------------------------------------------------------------------------


def other(letter: str) -> str:
    return chr(ord(letter) ^ 1)


CHANGES = {
    "a letter": (b"Success", b"Succesr"),
    "a blank": (b'"msg":', b'"msg": '),
    "the signature": (b'"sign":"', b'"sign":"A'),
}


@pytest.mark.parametrize("method", ACTS)
def test_an_answer_with_a_single_change_is_believed_by_neither(
    alipay_account: AlipayAccount, alipay: Alipay, strange_key: Any, method: str
) -> None:
    content = {"code": "10000", "msg": "Success"} | CONTENTS[method]
    genuine = alipay.answer(method, content)
    assert alipay.believes(method, genuine)
    wrong = {name: genuine.replace(*change) for name, change in CHANGES.items()}
    wrong["the key"] = alipay.answer(method, content, key=strange_key.private)
    for name, body in wrong.items():
        assert not alipay.believes(method, body), name
        alipay.bend = lambda _, body=body: body  # type: ignore[misc]
        with pytest.raises(ProviderUnavailable, match="not proven"):
            ACTS[method](alipay_account)


def test_an_answer_that_names_another_certificate_is_not_believed(
    alipay_account: AlipayAccount, alipay: Alipay
) -> None:
    """The SDK does not look. Without certificates nothing is named."""
    alipay.bend = lambda body: body.replace(b'"alipay_cert_sn":"', b'"alipay_cert_sn":"0')
    if alipay_account.certificates is None:
        assert open_payment(alipay_account) == {"tradeNO": TRADE_NO}
        return
    with pytest.raises(ProviderUnavailable, match="not proven: unknown_certificate"):
        open_payment(alipay_account)


def test_no_bit_of_an_answer_can_change(alipay_account: AlipayAccount, alipay: Alipay) -> None:
    gateway, method = gateway_of(alipay_account), "alipay.trade.query"
    good = gateway.find_payment(NUMBER)
    genuine = alipay.answer(method, {"code": "10000", "msg": "Success"} | CONTENTS[method])
    end = genuine.index(b',"sign"') if alipay_account.certificates is None else genuine.index(b',"alipay_cert_sn"')
    for place in range(genuine.index(b":") + 1, end, 7):
        changed = genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :]
        alipay.bend = lambda _, changed=changed: changed  # type: ignore[misc]
        with pytest.raises(ProviderUnavailable):
            gateway.find_payment(NUMBER)
    alipay.bend = lambda _: genuine
    assert gateway.find_payment(NUMBER) == good


# --- what the phone hands over ----------------------------------------------------------------------------------------


def test_a_phone_number_that_the_sdk_sealed_is_opened(
    alipay_account: AlipayAccount, alipay: Alipay, strange_key: Any
) -> None:
    prover = AlipayPhoneProver(alipay_account)
    text = json.dumps({"code": "10000", "msg": "Success", "mobile": "13800001234"})
    proof = alipay.sealed(text)
    assert prover.read_phone(proof, user=OPEN_ID) == "+8613800001234"
    bent = proof | {"response": other(proof["response"][0]) + proof["response"][1:]}
    for wrong in (bent, alipay.sealed(text, key=strange_key.private)):
        with pytest.raises(PhoneRefused, match="not_proven"):
            prover.read_phone(wrong, user=OPEN_ID)
