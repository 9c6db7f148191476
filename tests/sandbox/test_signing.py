"""Who may speak, and how answers are signed (protocol sections 4.1, 4.2, 8.1, 8.2; rows A-20, A-23)."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from sandbox.clock import real_now
from sandbox.testing import MerchantClient
from sandbox.wechat_pay.console import named_signer
from sandbox.wechat_pay.errors import PayError
from sandbox.wechat_pay.signing import Sent, identify, signature_headers

PATH = "/v3/pay/transactions/jsapi"
QUERY = "/v3/pay/transactions/out-trade-no/T123456"


def is_signed(answer: requests.Response, client: MerchantClient, body: bytes | None = None) -> bool:
    return client.proves(answer.headers, answer.content if body is None else body)


def refused(answer: requests.Response) -> bool:
    return answer.status_code == 401 and answer.json()["code"] == "SIGN_ERROR"


def test_every_2xx_is_signed_and_nothing_else(box: Any) -> None:
    number = box.placed()
    for answer, status in ((box.demo.query(number), 200), (box.demo.close(number), 204)):
        assert answer.status_code == status
        assert is_signed(answer, box.demo)
        assert not is_signed(answer, box.demo, answer.content + b" ")
        assert answer.headers["Wechatpay-Serial"] == box.demo.credentials["public_key_id"]
        assert answer.headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SHA256-RSA2048"
        assert abs(int(answer.headers["Wechatpay-Timestamp"]) - time.time()) < 30
        assert answer.headers["Request-ID"].endswith("-0")
    absent = box.demo.query("T-unknown")
    assert absent.status_code == 404
    assert "Wechatpay-Signature" not in absent.headers
    assert absent.headers["Request-ID"].endswith("-268512771")


def test_fields_may_come_in_any_order(box: Any) -> None:
    header = box.demo.authorization("GET", QUERY + f"?mchid={box.demo.credentials['mchid']}", b"")
    schema, _, rest = header.partition(" ")
    for order in list(itertools.permutations(rest.split(",")))[::20]:
        fresh = box.demo.authorization("GET", QUERY + f"?mchid={box.demo.credentials['mchid']}", b"")
        fields = dict(pair.split("=", 1) for pair in fresh.partition(" ")[2].split(","))
        names = [pair.split("=", 1)[0] for pair in order]
        shuffled = f"{schema} " + ",".join(f"{name}={fields[name]}" for name in names)
        path = QUERY + f"?mchid={box.demo.credentials['mchid']}"
        assert box.demo.send("GET", path, b"", box.demo.headers(shuffled)).status_code == 404


def test_the_path_may_be_signed_with_or_without_the_prefix(box: Any) -> None:
    full = MerchantClient(box.demo.credentials, box.demo.http, prefix="/wechat-pay")
    number = box.placed()
    assert box.demo.query(number).status_code == full.query(number).status_code == 200
    wrong = MerchantClient(box.demo.credentials, box.demo.http, prefix="/other")
    assert refused(wrong.query(number))


def test_any_one_byte_changed_in_a_request_is_refused(box: Any) -> None:
    """Every byte of the header, the target and the body, at the gate itself; a sample of them over HTTP below."""
    keys, now = box.running.sandbox.keys, real_now()
    body = b'{"mchid":"1"}'
    good = Sent(box.demo.authorization("POST", PATH, body), "POST", PATH, body)
    assert identify(keys, good, now)[0].name == "demo"

    def flipped(data: bytes) -> list[bytes]:
        return [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]

    bad = [Sent(head.decode(), "POST", PATH, body) for head in flipped(good.authorization.encode())]
    bad += [Sent(good.authorization, "POST", target.decode(), body) for target in flipped(PATH.encode())]
    bad += [Sent(good.authorization, "POST", PATH, other) for other in flipped(body)]
    bad += [Sent(good.authorization, "GET", PATH, body), Sent(good.authorization, "POST", PATH, body + b"\n")]
    for sent in bad:
        with pytest.raises(PayError) as refusal:
            identify(keys, sent, now)
        assert refusal.value.answer.status == 401


def test_a_bent_request_is_refused_over_http(box: Any) -> None:
    raw = b'{"a":1}'
    good = box.demo.headers(box.demo.authorization("POST", PATH, raw))
    assert refused(box.demo.send("POST", PATH, b'{"a":2}', good))
    assert refused(box.demo.send("POST", PATH + "?x=1", raw, good))
    assert refused(box.demo.send("POST", PATH, raw, good | {"Authorization": good["Authorization"].lower()}))
    assert refused(box.demo.send("POST", PATH, raw, good | {"Authorization": ""}))
    # Untouched it passes the gate, and the body is refused for what it says.
    assert box.demo.send("POST", PATH, raw, good).status_code == 400


@pytest.mark.parametrize(
    "bent",
    [
        {"mchid": "1600000000"},
        {"serial_no": "5" * 40},
        {"timestamp": ""},
        {"timestamp": "abc"},
        {"nonce_str": ""},
        {"signature": ""},
        {"extra": "1"},
    ],
)
def test_a_bent_field_is_refused(box: Any, bent: dict[str, str]) -> None:
    assert refused(box.demo.call("GET", QUERY, **bent))


def test_another_merchants_serial_is_refused(box: Any) -> None:
    assert refused(box.demo.call("GET", QUERY, serial_no=box.merchants["gulou"].credentials["serial_no"]))


@pytest.mark.parametrize(("age", "passes"), [(290, True), (-290, True), (301, False), (-310, False), (10**9, False)])
def test_stamps_are_good_for_300_seconds(box: Any, age: int, passes: bool) -> None:
    answer = box.demo.call("GET", QUERY + "?mchid=0", timestamp=str(int(time.time()) - age))
    assert refused(answer) is not passes


def test_stamps_to_the_second(box: Any) -> None:
    keys, now = box.running.sandbox.keys, real_now()
    for age, passes in ((300, True), (-300, True), (301, False), (-301, False)):
        sent = Sent(box.demo.authorization("GET", PATH, b"", timestamp=str(now - age)), "GET", PATH, b"")
        if passes:
            assert identify(keys, sent, now)
        else:
            with pytest.raises(PayError):
                identify(keys, sent, now)


def test_moving_the_clock_does_not_move_stamps(box: Any) -> None:
    number = box.placed()
    box.control.post("/clock", advance_seconds=3600)
    answer = box.demo.query(number)
    assert answer.status_code == 200
    assert abs(int(answer.headers["Wechatpay-Timestamp"]) - time.time()) < 30


def test_a_nonce_is_used_once(box: Any) -> None:
    header = box.demo.headers(box.demo.authorization("GET", QUERY, b""))
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: box.demo.send("GET", QUERY, b"", header).status_code, range(8)))
    assert sorted(statuses) == [400] + [401] * 7


def test_headers_that_every_request_needs(box: Any) -> None:
    def asked(**changes: str | None) -> requests.Response:
        headers = box.demo.headers(box.demo.authorization("GET", QUERY, b"")) | changes
        answer: requests.Response = box.demo.send("GET", QUERY, b"", headers)
        return answer

    assert asked(Accept=None).status_code == 406
    assert asked(Accept="text/html").status_code == 406
    assert asked(**{"User-Agent": ""}).status_code == 400
    assert asked(**{"Wechatpay-Serial": "PUB_KEY_ID_1"}).json()["code"] == "PARAM_ERROR"
    raw = b"{}"
    headers = box.demo.headers(box.demo.authorization("POST", PATH, raw)) | {"Content-Type": "text/plain"}
    assert box.demo.send("POST", PATH, raw, headers).status_code == 400


@pytest.mark.parametrize(
    ("merchant", "kind"), [("demo", "public_key"), ("gulou", "public_key"), ("gulou", "certificate")]
)
def test_any_one_byte_changed_in_a_signed_answer_is_seen(box: Any, merchant: str, kind: str) -> None:
    sandbox, client = box.running.sandbox, box.merchants[merchant]
    body = b'{"prepay_id":"wx1"}'
    signer = named_signer(sandbox, sandbox.keys.merchant_named(merchant), kind)
    answer = requests.Response()
    answer.headers.update(signature_headers(sandbox.keys, signer, body))
    assert is_signed(answer, client, body)
    for at in range(len(body)):
        assert not is_signed(answer, client, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    for name in ("Timestamp", "Nonce", "Serial", "Signature"):
        header = f"Wechatpay-{name}"
        value = answer.headers[header]
        for at, letter in enumerate(value):
            answer.headers[header] = value[:at] + chr(ord(letter) ^ 1) + value[at + 1 :]
            assert not is_signed(answer, client, body), (name, at)
        answer.headers[header] = value
    assert not is_signed(answer, box.merchants["xiehe"], body)
