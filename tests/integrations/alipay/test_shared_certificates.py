"""A renewed certificate that one process has proven serves all of them, and the store is not believed blindly."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import responses
from alipay_chain import ALIPAY_NAME, NOW, Clock, Issuer, new_key, pem
from alipay_side import APP_ID
from token_memory import TokenMemory

from core.ports import InvalidSignature, PhoneRefused, ProviderError, ProviderUnavailable, TradeState
from integrations.alipay import (
    AlipayAccount,
    AlipayAppGateway,
    AlipayGateway,
    AlipayMessageReader,
    AlipayPhoneProver,
)
from integrations.alipay._keyring import FETCH_PAUSE, LOOK_PAUSE

QUERY, DOWNLOAD = "alipay.trade.query", "alipay.open.app.alipaycert.download"
NUMBER = "P20261120ABCDEFGHJKLMNPQR2"
NAME = f"alipay_certificates:{APP_ID}"


def gateway_of(account: AlipayAccount, clock: Clock) -> AlipayGateway:
    return AlipayGateway(account, notify_url="https://h.example/n", clock=clock)


def another_process(account: AlipayAccount, store: TokenMemory) -> AlipayAccount:
    """The same row of the configuration, read again: it holds nothing that was learnt."""
    made = replace(account)
    made.keys.share(store)
    return made


def answer_under(wire: responses.RequestsMock, side: Any) -> responses.BaseResponse:
    """Alipay answers a query under the certificate of `side`, which may also be fetched: the second is given back."""
    told = {"code": "10000", "out_trade_no": NUMBER, "trade_status": "WAIT_BUYER_PAY"}
    side.alipay.answer(wire, QUERY, told, cert_sn=side.alipay_sn)
    content = b64encode(pem(side.alipay_cert, side.authority_cert).encode()).decode()
    told = {"code": "10000", "msg": "Success", "alipay_cert_content": content}
    fetch: responses.BaseResponse = side.alipay.answer(wire, DOWNLOAD, told, cert_sn=side.alipay_sn)
    return fetch


@pytest.fixture(params=["event", "app gateway", "phone"])
def prove(request: pytest.FixtureRequest, event: dict[str, str], clock: Clock) -> Callable[[AlipayAccount, Any], None]:
    """Whatever takes a word from outside, given one that `side` has signed."""

    def event_is_proven(account: AlipayAccount, side: Any) -> None:
        told = AlipayMessageReader(account).check({}, side.alipay.form(event), now=clock())
        assert told.event_id == event["notify_id"]

    def message_is_proven(account: AlipayAccount, side: Any) -> None:
        body = side.alipay.form({"service": "another", "app_id": event["app_id"]}, sign_type=True)
        assert AlipayAppGateway(account, clock=clock).answer(body).body == b"success"

    def phone_is_proven(account: AlipayAccount, side: Any) -> None:
        told = side.alipay.sealed({"code": "10000", "msg": "Success", "mobile": "13800000000"})
        proof = {"response": told, "sign": side.alipay.signature(f'"{told}"')}
        assert AlipayPhoneProver(account, clock=clock).read_phone(proof, user="o") == "+8613800000000"

    return {"event": event_is_proven, "app gateway": message_is_proven, "phone": phone_is_proven}[request.param]


def expect_refusal(prove: Callable[[AlipayAccount, Any], None], account: AlipayAccount, side: Any) -> None:
    with pytest.raises(ProviderError, match=r"bad_signature|not_proven") as caught:
        prove(account, side)
    assert isinstance(caught.value, InvalidSignature | PhoneRefused)


def test_what_one_process_learnt_proves_in_another(
    *, certified: Any, renewed: Any, store: TokenMemory, clock: Clock, wire: responses.RequestsMock, prove: Any
) -> None:
    web = another_process(certified.account, store)
    answer_under(wire, renewed)
    assert gateway_of(certified.account, clock).find_payment(NUMBER).state is TradeState.UNPAID
    asked = len(wire.calls)
    prove(web, renewed)
    prove(another_process(certified.account, store), renewed)  # the same after a restart
    prove(web, certified)
    assert len(wire.calls) == asked


def test_what_one_process_learnt_is_not_fetched_by_another(
    *, certified: Any, renewed: Any, store: TokenMemory, clock: Clock, wire: responses.RequestsMock
) -> None:
    fetch = answer_under(wire, renewed)
    for account in (certified.account, another_process(certified.account, store)):
        assert gateway_of(account, clock).find_payment(NUMBER).state is TradeState.UNPAID
        clock.now += 2 * FETCH_PAUSE
    assert fetch.call_count == 1


def test_a_failed_fetch_makes_every_process_wait(
    *, certified: Any, renewed: Any, store: TokenMemory, clock: Clock, wire: responses.RequestsMock, answer_with: Any
) -> None:
    told = {"code": "10000", "out_trade_no": NUMBER, "trade_status": "WAIT_BUYER_PAY"}
    renewed.alipay.answer(wire, QUERY, told, cert_sn=renewed.alipay_sn)
    fetch = answer_with(wire, DOWNLOAD, b"", status=502)
    for account in (certified.account, another_process(certified.account, store)):
        with pytest.raises(ProviderUnavailable, match="unknown_certificate") as caught:
            gateway_of(account, clock).find_payment(NUMBER)
        assert caught.value.sent
    assert fetch.call_count == 1


def test_the_call_was_sent_though_another_process_is_slow_to_fetch(
    *, certified: Any, renewed: Any, store: TokenMemory, clock: Clock, wire: responses.RequestsMock, monkeypatch: Any
) -> None:
    """The store's word that nothing was sent is about the certificate."""

    def slow(name: str, fetch: Any, *, rejected: str | None = None) -> str:
        raise ProviderUnavailable(f"no {name} in time", sent=False)

    monkeypatch.setattr(store, "token", slow)
    told = {"code": "10000", "out_trade_no": NUMBER, "trade_status": "WAIT_BUYER_PAY"}
    renewed.alipay.answer(wire, QUERY, told, cert_sn=renewed.alipay_sn)
    with pytest.raises(ProviderUnavailable, match="unknown_certificate") as caught:
        gateway_of(certified.account, clock).find_payment(NUMBER)
    assert caught.value.sent


def test_nothing_that_comes_in_makes_us_fetch(
    certified: Any, renewed: Any, store: TokenMemory, wire: responses.RequestsMock, prove: Any
) -> None:
    expect_refusal(prove, certified.account, renewed)
    assert (len(wire.calls), store.kept) == (0, {})


# --- what is not believed ---------------------------------------------------------------------------------------------


def planted(store: TokenMemory, *files: str) -> None:
    store.kept[NAME] = json.dumps(files)


def test_a_proven_one_in_the_store_is_believed(certified: Any, renewed: Any, store: TokenMemory, prove: Any) -> None:
    """What the refusals below differ from."""
    planted(store, pem(renewed.alipay_cert, certified.authority_cert))
    prove(certified.account, renewed)


@pytest.mark.parametrize("how", ["a chain of its own", "another's app", "expired", "an expired authority"])
def test_one_that_is_not_alipays_or_has_ended_is_not_believed(
    certified: Any, store: TokenMemory, prove: Any, how: str
) -> None:
    key, root, above = new_key(), Issuer(certified.root.common), Issuer(certified.authority.common)
    old = Issuer("Class 1 R1")
    issue, certify = certified.authority.certificate, certified.root.certificate
    ended = timedelta(days=29)
    made, authority = {
        "a chain of its own": lambda: (
            above.certificate(ALIPAY_NAME, key),
            root.certificate(above.common, above.key, authority=True),
        ),
        "another's app": lambda: (issue("2088000000000001-2021000000000001", key), certified.authority_cert),
        "expired": lambda: (issue(ALIPAY_NAME, key, lasts=ended), certified.authority_cert),
        "an expired authority": lambda: (
            old.certificate(ALIPAY_NAME, key),
            certify(old.common, old.key, authority=True, lasts=ended),
        ),
    }[how]()
    planted(store, pem(made, authority))
    expect_refusal(prove, certified.account, replace(certified, alipay=replace(certified.alipay, key=key)))
    assert store.reads == {NAME: 1}


def test_one_ends_though_it_was_good_when_it_was_stored(
    certified: Any, store: TokenMemory, clock: Clock, prove: Any
) -> None:
    side = replace(certified, alipay=replace(certified.alipay, key=new_key()))
    brief = certified.authority.certificate(ALIPAY_NAME, side.alipay.key, lasts=timedelta(days=31))
    planted(store, pem(brief, certified.authority_cert))
    held = another_process(certified.account, store)
    prove(held, side)
    clock.now = NOW + timedelta(days=2)
    expect_refusal(prove, held, side)
    expect_refusal(prove, another_process(certified.account, store), side)


# --- how often --------------------------------------------------------------------------------------------------------


def test_the_store_is_not_read_for_a_signature_that_fits(certified: Any, store: TokenMemory, prove: Any) -> None:
    prove(certified.account, certified)
    assert store.reads == {}


def test_a_flood_of_forged_words_costs_one_read_in_each_pause(
    *, certified: Any, renewed: Any, stranger: Any, store: TokenMemory, clock: Clock, prove: Any
) -> None:
    forged = replace(certified, alipay=stranger)
    for _ in range(20):
        expect_refusal(prove, certified.account, forged)
    assert store.reads == {NAME: 1}
    planted(store, pem(renewed.alipay_cert, certified.authority_cert))
    expect_refusal(prove, certified.account, renewed)
    clock.now += LOOK_PAUSE
    prove(certified.account, renewed)
    assert store.reads == {NAME: 2}


def test_a_clock_that_was_set_back_does_not_stretch_the_pause(
    *, certified: Any, renewed: Any, store: TokenMemory, clock: Clock, prove: Any
) -> None:
    expect_refusal(prove, certified.account, renewed)
    planted(store, pem(renewed.alipay_cert, certified.authority_cert))
    clock.now -= timedelta(days=1)
    prove(certified.account, renewed)


def test_genuine_words_that_come_together_share_one_read(
    *, certified: Any, renewed: Any, store: TokenMemory, monkeypatch: Any, prove: Any
) -> None:
    """Who comes while another reads waits for what it reads, and is not refused for the pause."""
    planted(store, pem(renewed.alipay_cert, certified.authority_cert))
    plain = store.stored

    def slowly(name: str) -> str | None:
        second.start()
        second.join(0.3)
        return plain(name)

    failures = list[Exception]()

    def act() -> None:
        try:
            prove(certified.account, renewed)
        except ProviderError as error:
            failures.append(error)

    second = threading.Thread(target=act)
    monkeypatch.setattr(store, "stored", slowly)
    act()
    second.join(10)
    assert (failures, store.reads) == ([], {NAME: 1})


def test_key_mode_asks_no_store(account: AlipayAccount, stranger: Any, certified: Any, store: TokenMemory) -> None:
    alone = another_process(account, store)
    with pytest.raises(InvalidSignature, match="bad_signature"):
        AlipayMessageReader(alone).check({}, stranger.form({"notify_id": "1"}), now=NOW)
    assert store.reads == {}
