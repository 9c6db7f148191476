"""Alipay renews its certificate: an answer names another one, and it is fetched, checked and only then believed."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import responses
from alipay_chain import ALIPAY_NAME, NOW, Clock, Issuer, new_key, pem
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from core.ports import InvalidSignature, ProviderUnavailable, TradeState
from integrations.alipay import AlipayAccount, AlipayGateway, AlipayMessageReader
from integrations.alipay._keyring import MOST_RENEWED

QUERY, DOWNLOAD = "alipay.trade.query", "alipay.open.app.alipaycert.download"
NUMBER = "P20261120ABCDEFGHJKLMNPQR2"


@pytest.fixture
def gateway(certified: Any, clock: Clock) -> AlipayGateway:
    return AlipayGateway(certified.account, notify_url="https://h.example/n", clock=clock)


def tell(wire: responses.RequestsMock, side: Any) -> responses.BaseResponse:
    """An answer signed with the key of `side`, under the name of its certificate."""
    told = {"code": "10000", "out_trade_no": NUMBER, "trade_status": "WAIT_BUYER_PAY"}
    found: responses.BaseResponse = side.alipay.answer(wire, QUERY, told, cert_sn=side.alipay_sn)
    return found


def offer(
    wire: responses.RequestsMock, side: Any, content: str | None = None, **options: Any
) -> responses.BaseResponse:
    text = pem(side.alipay_cert, side.authority_cert) if content is None else content
    told = {"code": "10000", "msg": "Success", "alipay_cert_content": b64encode(text.encode()).decode()}
    found: responses.BaseResponse = side.alipay.answer(wire, DOWNLOAD, told, **({"cert_sn": side.alipay_sn} | options))
    return found


def expect_unproven(act: Callable[[], Any]) -> None:
    with pytest.raises(ProviderUnavailable, match="unknown_certificate") as caught:
        act()
    assert caught.value.sent


def test_a_new_certificate_is_fetched_once_and_then_known(
    *, gateway: AlipayGateway, certified: Any, renewed: Any, wire: responses.RequestsMock, asked: Any
) -> None:
    tell(wire, renewed)
    fetch = offer(wire, renewed)
    for _ in range(3):
        assert gateway.find_payment(NUMBER).state is TradeState.UNPAID
    assert fetch.call_count == 1
    assert asked(wire, 1).biz_content == {"alipay_cert_sn": renewed.alipay_sn}
    assert certified.account.keys.all(NOW) == (renewed.alipay.key.public_key(), certified.alipay.key.public_key())


def test_f_58_the_old_certificate_stays_good_beside_it(
    gateway: AlipayGateway, certified: Any, renewed: Any, wire: responses.RequestsMock
) -> None:
    """F-58."""
    tell(wire, renewed)
    offer(wire, renewed)
    gateway.find_payment(NUMBER)
    wire.reset()
    tell(wire, certified)
    assert gateway.find_payment(NUMBER).state is TradeState.UNPAID


def test_the_answer_with_it_may_still_be_signed_with_the_old_key(
    gateway: AlipayGateway, certified: Any, renewed: Any, wire: responses.RequestsMock
) -> None:
    tell(wire, renewed)
    text = pem(renewed.alipay_cert, renewed.authority_cert)
    offer(wire, certified, text)
    assert gateway.find_payment(NUMBER).state is TradeState.UNPAID


def test_a_file_without_the_authority_is_completed_from_our_own(
    gateway: AlipayGateway, renewed: Any, wire: responses.RequestsMock
) -> None:
    tell(wire, renewed)
    offer(wire, renewed, pem(renewed.alipay_cert))
    assert gateway.find_payment(NUMBER).state is TradeState.UNPAID


def test_everything_of_one_account_knows_what_one_part_learnt(
    gateway: AlipayGateway, certified: Any, renewed: Any, wire: responses.RequestsMock, event: dict[str, str]
) -> None:
    reader = AlipayMessageReader(certified.account)
    body = renewed.alipay.form(event)
    with pytest.raises(InvalidSignature, match="bad_signature"):
        reader.check({}, body, now=NOW)
    tell(wire, renewed)
    offer(wire, renewed)
    gateway.find_payment(NUMBER)
    assert reader.check({}, body, now=NOW).event_id == event["notify_id"]


def test_an_event_never_makes_us_call_out(
    certified: Any, renewed: Any, wire: responses.RequestsMock, event: dict[str, str]
) -> None:
    """Anybody could send one."""
    body = renewed.alipay.form(event | {"alipay_cert_sn": renewed.alipay_sn})
    with pytest.raises(InvalidSignature, match="bad_signature"):
        AlipayMessageReader(certified.account).check({}, body, now=NOW)
    assert len(wire.calls) == 0


# --- what is not believed ---------------------------------------------------------------------------------------------


def forged(certified: Any, how: str) -> tuple[Any, str]:
    """A certificate that is not Alipay's next one, and the file that offers it."""
    key, foreign = new_key(), Issuer(certified.authority.common)
    issue = certified.authority.certificate
    app = Issuer("app", certified.account.signing_key)
    made, above = {
        "a foreign authority": lambda: (foreign.certificate(ALIPAY_NAME, key), certified.authority_cert),
        "a foreign chain": lambda: (
            foreign.certificate(ALIPAY_NAME, key),
            Issuer(certified.root.common).certificate(foreign.common, foreign.key, authority=True),
        ),
        "self-signed": lambda: (Issuer(ALIPAY_NAME, key).certificate(ALIPAY_NAME, key, authority=True), None),
        "another's app": lambda: (issue("2088000000000001-2021000000000001", key), certified.authority_cert),
        "another merchant's": lambda: (issue(ALIPAY_NAME + "1", key), certified.authority_cert),
        "issued by an app": lambda: (app.certificate(ALIPAY_NAME, key), issue("app", app.key)),
        "expired": lambda: (issue(ALIPAY_NAME, key, lasts=timedelta(days=29)), certified.authority_cert),
        "not yet valid": lambda: (issue(ALIPAY_NAME, key, begins=NOW + timedelta(days=1)), certified.authority_cert),
        "an expired authority": lambda: expired_authority(certified, key),
        "a short key": lambda: (issue(ALIPAY_NAME, generate_private_key(65537, 1024)), certified.authority_cert),
    }[how]()
    side = replace(certified, alipay=replace(certified.alipay, key=key), alipay_cert=made)
    return side, pem(made) if above is None else pem(made, above)


def expired_authority(certified: Any, key: Any) -> tuple[Any, Any]:
    old = Issuer("Class 1 R1")
    above = certified.root.certificate("Class 1 R1", old.key, authority=True, lasts=timedelta(days=29))
    return old.certificate(ALIPAY_NAME, key), above


@pytest.mark.parametrize(
    "how",
    [
        "a foreign authority",
        "a foreign chain",
        "self-signed",
        "another's app",
        "another merchant's",
        "issued by an app",
        "expired",
        "not yet valid",
        "an expired authority",
        "a short key",
    ],
)
def test_a_certificate_that_is_not_alipays_next_one_is_not_believed(
    gateway: AlipayGateway, certified: Any, wire: responses.RequestsMock, how: str
) -> None:
    """All apps' certificates come from the authority that issues Alipay's: a chain alone proves nothing."""
    side, text = forged(certified, how)
    tell(wire, side)
    offer(wire, side, text)
    expect_unproven(lambda: gateway.find_payment(NUMBER))
    assert certified.account.keys.all(NOW) == (certified.alipay.key.public_key(),)


def test_a_certificate_under_another_name_is_not_believed(
    gateway: AlipayGateway, certified: Any, renewed: Any, wire: responses.RequestsMock
) -> None:
    told = {"code": "10000", "out_trade_no": NUMBER, "trade_status": "WAIT_BUYER_PAY"}
    renewed.alipay.answer(wire, QUERY, told, cert_sn="0" * 32)
    offer(wire, renewed)
    expect_unproven(lambda: gateway.find_payment(NUMBER))


@pytest.mark.parametrize(
    ("sign", "content"),
    [(None, None), ("AAAA", None), ("", ""), ("", "-----BEGIN CERTIFICATE-----"), (None, ""), ("", "证")],
)
def test_a_download_that_nothing_proves_is_not_believed(
    *, gateway: AlipayGateway, renewed: Any, wire: responses.RequestsMock, sign: str | None, content: str | None
) -> None:
    tell(wire, renewed)
    offer(wire, renewed, content, sign=sign)
    expect_unproven(lambda: gateway.find_payment(NUMBER))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"alipay_open_app_alipaycert_download_response":{}}'])
def test_a_download_that_cannot_be_read_leaves_the_answer_unproven(
    gateway: AlipayGateway, renewed: Any, wire: responses.RequestsMock, answer_with: Any, body: bytes
) -> None:
    tell(wire, renewed)
    answer_with(wire, DOWNLOAD, body)
    with pytest.raises(ProviderUnavailable):
        gateway.find_payment(NUMBER)


def test_a_known_certificate_with_a_wrong_signature_is_not_fetched_again(
    gateway: AlipayGateway, certified: Any, stranger: Any, wire: responses.RequestsMock
) -> None:
    tell(wire, replace(certified, alipay=stranger))
    with pytest.raises(ProviderUnavailable, match="bad_signature"):
        gateway.find_payment(NUMBER)


# --- how often --------------------------------------------------------------------------------------------------------


def test_made_up_names_cost_one_call_a_minute(
    gateway: AlipayGateway, certified: Any, clock: Clock, wire: responses.RequestsMock
) -> None:
    """F-58."""
    fetch = certified.alipay.failure(wire, DOWNLOAD, "isv.invalid-parameter", "40002")
    told = '{"code":"10000"}'
    for at in range(8):
        name = f"{at:032x}"
        certified.alipay.answer(wire, QUERY, told, cert_sn=name)
        expect_unproven(lambda: gateway.find_payment(NUMBER))
        clock.now += timedelta(seconds=15)
    assert fetch.call_count == 2


def test_twenty_threads_fetch_once(
    gateway: AlipayGateway, certified: Any, renewed: Any, wire: responses.RequestsMock
) -> None:
    """F-58."""
    answer = tell(wire, renewed)
    fetch = offer(wire, renewed)
    started, done = threading.Barrier(20), list[TradeState]()

    def act() -> None:
        started.wait()
        time.sleep(0.001)
        done.append(gateway.find_payment(NUMBER).state)

    threads = [threading.Thread(target=act) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(done), fetch.call_count, answer.call_count) == (20, 1, 20)


def test_only_the_latest_are_kept(
    gateway: AlipayGateway, certified: Any, clock: Clock, wire: responses.RequestsMock
) -> None:
    for _ in range(MOST_RENEWED + 2):
        side = replace(certified, alipay=replace(certified.alipay, key=new_key()))
        side = replace(side, alipay_cert=certified.authority.certificate(ALIPAY_NAME, side.alipay.key))
        wire.reset()
        tell(wire, side)
        offer(wire, side)
        gateway.find_payment(NUMBER)
        clock.now += timedelta(minutes=1)
    assert len(certified.account.keys.all(NOW)) == MOST_RENEWED + 1


def test_key_mode_has_one_key_whatever_is_named(
    account: AlipayAccount, alipay: Any, wire: responses.RequestsMock
) -> None:
    told = {"code": "10000", "out_trade_no": NUMBER, "trade_status": "WAIT_BUYER_PAY"}
    alipay.answer(wire, QUERY, told, cert_sn="0" * 32)
    assert AlipayGateway(account, notify_url="https://h.example/n").find_payment(NUMBER).state is TradeState.UNPAID
