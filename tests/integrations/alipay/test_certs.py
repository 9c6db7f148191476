"""Certificate mode: serial names, what stops the start, and what is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import responses
from alipay_chain import NOW
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from integrations.alipay import AlipayAccount, AlipayGateway
from integrations.alipay._certs import read_certificates, root_serial_name, serial_name


def test_both_serial_names_are_sent_and_signed(certified: Any, wire: responses.RequestsMock, asked: Any) -> None:
    gateway = AlipayGateway(certified.account, notify_url="https://h.example/n")
    certified.alipay.failure(wire, "alipay.trade.query", "ACQ.TRADE_NOT_EXIST", cert_sn=certified.alipay_sn)
    gateway.find_payment("P1")
    sent = asked(wire).query
    assert sent["app_cert_sn"] == certified.account.app_cert_sn == serial_name(certified.app_cert)
    assert sent["alipay_root_cert_sn"] == certified.account.root_cert_sn == serial_name(certified.root_cert)


def test_without_certificates_no_serial_name_is_sent(
    account: AlipayAccount, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.failure(wire, "alipay.trade.query", "ACQ.TRADE_NOT_EXIST")
    AlipayGateway(account, notify_url="https://h.example/n").find_payment("P1")
    assert not [name for name in asked(wire).query if name.endswith("_sn")]


def test_alipays_key_is_the_certificates(certified: Any) -> None:
    account = certified.account
    assert account.alipay_public_key_pem == ""
    assert account.keys.all(NOW) == (certified.alipay.key.public_key(),)
    both = replace(account, alipay_public_key_pem=certified.alipay.public_pem())
    assert both.keys.all(NOW) == account.keys.all(NOW)


def test_a_key_beside_the_certificate_must_be_its_own(certified: Any, stranger: Any) -> None:
    with pytest.raises(ValueError, match="alipay_public_key_pem"):
        replace(certified.account, alipay_public_key_pem=stranger.public_pem())


def change(certified: Any, **files: str) -> AlipayAccount:
    return replace(certified.account, certificates=replace(certified.account.certificates, **files))


@pytest.mark.parametrize("name", ["app_cert_pem", "alipay_cert_pem", "alipay_root_cert_pem"])
@pytest.mark.parametrize(
    "text", ["", "VERYSECRET", "-----BEGIN CERTIFICATE-----\nVERYSECRET\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_a_certificate_is_named_and_not_shown(certified: Any, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        change(certified, **{name: text})
    assert "VERYSECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_app_certificate_of_another_key_stops_the_start(certified: Any, pem: Any) -> None:
    with pytest.raises(ValueError, match="app_cert_pem"):
        change(certified, app_cert_pem=pem(certified.alipay_cert))


def test_our_own_certificate_is_not_taken_for_alipays(certified: Any, pem: Any) -> None:
    with pytest.raises(ValueError, match="alipay_cert_pem"):
        change(certified, alipay_cert_pem=pem(certified.app_cert))


@pytest.mark.parametrize(
    "make", [lambda: ec.generate_private_key(ec.SECP256R1()), lambda: rsa.generate_private_key(65537, 1024)]
)
def test_a_certificate_of_a_weak_or_other_key_stops_the_start(certified: Any, pem: Any, make: Any) -> None:
    with pytest.raises(ValueError, match="alipay_cert_pem"):
        change(certified, alipay_cert_pem=pem(certified.authority.certificate("x", make())))


def test_certificates_do_not_show_in_the_repr(certified: Any) -> None:
    assert "BEGIN" not in repr(certified.account)


def test_the_first_certificate_of_a_file_is_the_one_meant(certified: Any, pem: Any) -> None:
    chain = pem(certified.app_cert, certified.authority_cert)
    assert change(certified, app_cert_pem=chain).app_cert_sn == serial_name(certified.app_cert)


@pytest.mark.parametrize("between", ["", "\n", "\n\n", "\r\n", "\r\n\r\n", "\n# a remark\n", "  "])
def test_blocks_may_be_parted_in_any_way(certified: Any, pem: Any, between: str) -> None:
    blocks = [pem(one).strip() for one in (certified.root_cert, certified.authority_cert)]
    text = between.join(block.replace("\n", "\r\n") if "\r" in between else block for block in blocks)
    assert read_certificates(text) == [certified.root_cert, certified.authority_cert]


def test_a_block_that_cannot_be_parsed_is_passed_over(certified: Any, pem: Any) -> None:
    broken = pem(certified.app_cert).replace("MII", "AAA", 1)
    assert read_certificates(broken + pem(certified.root_cert)) == [certified.root_cert]


@pytest.mark.parametrize("digest_of", ["rsa", "elliptic"])
def test_only_roots_signed_with_rsa_have_a_part_in_the_name(certified: Any, elliptic_root: Any, digest_of: str) -> None:
    alone = [certified.root_cert] if digest_of == "rsa" else [elliptic_root]
    assert root_serial_name(alone) == (serial_name(certified.root_cert) if digest_of == "rsa" else "")
    assert root_serial_name([elliptic_root, certified.root_cert]) == serial_name(certified.root_cert)


def test_roots_without_one_of_rsa_stop_the_start(certified: Any, elliptic_root: Any, pem: Any) -> None:
    with pytest.raises(ValueError, match="alipay_root_cert_pem"):
        change(certified, alipay_root_cert_pem=pem(elliptic_root))
