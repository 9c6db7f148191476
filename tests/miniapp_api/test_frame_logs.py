"""A-62 A-63: one line per event, in JSON, and nobody's name, number or secret in it, tracebacks included."""

from __future__ import annotations

import json
import logging
import warnings
from typing import Any
from uuid import UUID

import pytest
import structlog
from flask.testing import FlaskClient
from frame_probes import to_raise
from gunicorn.config import Config as GunicornConfig
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from core.workbench import Workbench
from miniapp_api import logs
from miniapp_api.gunicorn_logs import Logger
from models.account import Account
from models.base import new_id

CANARIES = {
    "id_number": "320106199001011234",
    "id_number_x": "11010519491231002X",
    "phone": "13812345678",
    "phone_86": "+8613912345678",
    "phone_spaced": "+86 139-1234-5678",
    "open_id": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "token": "q3Vt0cJp8Zr1mXy7KdWb5eFg2HiJkLmNoPqRsTuVwXA",
}
Lines = list[dict[str, Any]]


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@pytest.fixture(autouse=True)
def _logging(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")


def written(capfd: pytest.CaptureFixture[str]) -> Lines:
    """Every line is one JSON object; nothing else is written."""
    text = capfd.readouterr().err
    assert not [letter for letter in text if (ord(letter) < 32 and letter != "\n") or ord(letter) > 126]
    return [json.loads(line) for line in text.splitlines()]


def the_only(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = written(capfd)
    return line


@pytest.mark.parametrize("canary", CANARIES.values())
@pytest.mark.parametrize("frame", ["{}", "x {} y", "姓名{}号", "'{}'", '{{"a": "{}"}}', "a={}&b", "\n{}\n", "({})"])
def test_what_looks_like_a_person_is_masked_wherever_it_stands(
    capfd: pytest.CaptureFixture[str], canary: str, frame: str
) -> None:
    structlog.get_logger("a").info(frame.format(canary), where=frame.format(canary), inner=[{"x": (canary,)}])
    logging.getLogger("urllib3").warning("%s", frame.format(canary))
    text = json.dumps(written(capfd), ensure_ascii=False)
    assert canary not in text
    assert text.count(logs.MASK) >= 3


@pytest.mark.parametrize(
    "key",
    ["name", "phone", "phone_masked", "open_id", "openid", "payer_open_id", "unionid", "token", "access_token",
     "Authorization", "session_key", "id_number", "certNo", "cert_name", "secret", "appsecret", "code", "js_code",
     "otp", "apiv3_key", "private_key", "password", "set_cookie", "client_params", "body", "email", "address", "sign",
     "doctor_name", "idCard", "mobile", "complaint"],
)  # fmt: skip
def test_what_is_called_a_secret_is_masked_whatever_it_holds(capfd: pytest.CaptureFixture[str], key: str) -> None:
    structlog.get_logger("a").info("event", **{key: "张三"}, inner={key: {"deep": "张三"}})
    line = the_only(capfd)
    assert line[key] == logs.MASK
    assert line["inner"] == {key: logs.MASK}


def test_numbers_are_masked_as_well(capfd: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger("a").info("event", seen=13812345678, amount_fen=5000, at=1763812345, ok=True, none=None)
    line = the_only(capfd)
    assert (line["seen"], line["amount_fen"], line["at"], line["ok"]) == (logs.MASK, 5000, 1763812345, True)
    assert line["none"] is None


def test_what_operators_need_stays_readable(capfd: pytest.CaptureFixture[str]) -> None:
    known = {
        "out_trade_no": "P20261122ABCDEFGH23456789A",
        "appointment": "261122123456789",
        "id": "01a205da-1381-7234-8678-a13812345678",
        "provider": "wechat_miniapp",
        "status": "succeeded",
        "check": "migrations",
        "platform_code": "SYSTEM_ERROR",
        "at": "2026-11-22T02:00:00.000Z",
    }
    structlog.get_logger("a").info("event", **known)
    assert the_only(capfd).items() >= known.items()


def test_a_63_a_traceback_is_masked_after_it_was_written_out(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        try:
            raise KeyError(" ".join(CANARIES.values()))
        except KeyError as error:
            raise ValueError(f"Bearer abc.def-ghi, secret={CANARIES['token']}&x=1") from error

    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        try:
            fail()
        except ValueError:
            log.exception("crashed")
    lines = written(capfd)
    assert len(lines) == 2
    for line in lines:
        assert "KeyError" in line["exception"]
        assert "direct cause" in line["exception"]
        assert not [canary for canary in (*CANARIES.values(), "abc.def-ghi") if canary in line["exception"]]


def test_a_63_a_failed_statement_does_not_tell_its_values(
    client: FlaskClient, workbench: Workbench, capfd: pytest.CaptureFixture[str]
) -> None:
    def twice(session: Any, now: Any) -> None:
        session.add_all([Account(id=UUID(int=1), created_at=now, phone_masked="canary") for _ in range(1)])
        session.flush()
        session.connection().exec_driver_sql(
            "INSERT INTO accounts (id, created_at, phone_masked) SELECT id, created_at, ? FROM accounts", ("canary",)
        )

    with pytest.raises(IntegrityError) as raised:
        workbench.transactions.write(twice)
    to_raise.append(raised.value)
    assert client.get("/api/v1/probe/failure").status_code == 500
    text = json.dumps(written(capfd))
    assert "IntegrityError" in text
    assert "canary" not in text


def test_postgresql_tells_no_row(capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("a").error("duplicate key\nDETAIL:  Key (phone)=(canary) already exists.\nCONTEXT: x")
    line = the_only(capfd)
    assert "canary" not in line["event"]
    assert line["event"].endswith("CONTEXT: x")


def test_addresses_and_keys_are_masked(capfd: pytest.CaptureFixture[str]) -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIcanary\n-----END RSA PRIVATE KEY-----"
    logging.getLogger("a").error(
        f"postgresql://yuezhen:canary@db/x GET /sns?appid=wx1&secret=canary&js_code=canary {pem}"
    )
    line = the_only(capfd)
    assert "canary" not in line["event"]
    assert "appid=wx1" in line["event"]


@pytest.mark.parametrize(
    "evil",
    ["a\nb", "a\r\nHTTP/1.1 200", 'a", "level": "error', "\x1b[31mred\x1b[0m", "\x9b31m", "a\u2028b", "\x00",
     '{"event": "forged"}', "\x7f\x85"],
)  # fmt: skip
def test_a_62_an_event_is_one_line_whatever_it_says(capfd: pytest.CaptureFixture[str], evil: str) -> None:
    structlog.get_logger("a").info("event", seen=evil)
    logging.getLogger("b").warning("seen %s", evil)
    ours, theirs = written(capfd)
    assert ours["seen"] == evil
    assert (theirs["event"], theirs["level"]) == (f"seen {evil}", "warning")


def test_a_62_half_a_character_breaks_no_line() -> None:
    record = logging.LogRecord("a", logging.INFO, __file__, 1, "\ud800", None, None)
    assert json.loads(logs.formatter([]).format(record).encode())["event"] == "\ud800"


def test_a_62_headers_forge_no_line(client: FlaskClient, capfd: pytest.CaptureFixture[str]) -> None:
    sent = {"User-Agent": '\x1b[31m{"event": "forged"}', "X-Request-Id": "a b", "Accept-Language": "zh\x1b"}
    assert client.get("/api/v1/time", headers=sent).status_code == 200
    line = the_only(capfd)
    assert line["event"] == "request"
    assert "caller_request_id" not in line


def test_a_request_is_one_line_with_its_route_and_never_its_path(
    client: FlaskClient, login: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = login()
    caller = client.get("/api/v1/own-probe", headers={**headers, "X-Request-Id": "theirs-7"})
    client.delete("/api/v1/probe/01a205da-7a95-7518-9ed1-d1aeee8126c5")
    client.get("/nowhere/13812345678?id=320106199001011234")
    own, deleted, unknown = written(capfd)
    assert own["account_id"] == caller.get_json()["seen"]["account"]
    assert (own["method"], own["route"], own["status"]) == ("GET", "/api/v1/own-probe", 200)
    assert own["request_id"] == caller.headers["X-Request-Id"]
    assert own["caller_request_id"] == "theirs-7"
    assert own["ms"] >= 0
    assert deleted["route"] == "/api/v1/probe/<uuid:probe_id>"
    assert deleted["account_id"] is None
    assert "caller_request_id" not in deleted
    assert (unknown["route"], unknown["status"], unknown["problem_code"]) == (None, 404, "not_found")


def test_every_line_of_a_request_carries_its_id(client: FlaskClient, capfd: pytest.CaptureFixture[str]) -> None:
    to_raise.append(RuntimeError("x"))
    reply = client.get("/api/v1/probe/failure")
    lines = written(capfd)
    assert len(lines) == 2
    assert {line["request_id"] for line in lines} == {reply.headers["X-Request-Id"]}


def test_bodies_tokens_and_queries_are_never_logged(
    client: FlaskClient, login: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = login()
    body = {"name": "张三", "amount_fen": 13812345678}
    client.post("/api/v1/own-probe", json=body, headers={**headers, "Idempotency-Key": "canary-canary-canary"})
    client.post("/api/v1/probe", json={"name": 5, "x": "canary"})
    client.get("/api/v1/probe?q=canary")
    text = json.dumps(written(capfd), ensure_ascii=False)
    for secret in ("张三", "13812345678", "canary", headers["Authorization"].removeprefix("Bearer ")):
        assert secret not in text


def test_an_invented_method_is_not_repeated(client: FlaskClient, capfd: pytest.CaptureFixture[str]) -> None:
    client.open("/api/v1/time", method="X13812345678")
    assert the_only(capfd)["method"] == "other"


def test_the_level_is_kept_and_one_handler_is_enough(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("WARNING")
    logs.configure("WARNING")
    structlog.get_logger("a").info("quiet")
    logging.getLogger("b").info("quiet")
    structlog.get_logger("a").warning("loud")
    assert the_only(capfd)["event"] == "loud"


def test_gunicorn_speaks_in_lines_as_well(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "no such level")
    Logger(GunicornConfig()).warning("Invalid request from ip=%s: GET /13812345678", "192.0.2.1")
    line = the_only(capfd)
    assert (line["event"], line["logger"]) == (f"Invalid request from ip=192.0.2.1: GET /{logs.MASK}", "gunicorn.error")


def test_warnings_of_libraries_are_lines_as_well(capfd: pytest.CaptureFixture[str]) -> None:
    logging.captureWarnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure("INFO")
        warnings.warn(f"about {CANARIES['phone']}", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    line = the_only(capfd)
    assert line["logger"] == "py.warnings"
    assert CANARIES["phone"] not in line["event"]


def test_ids_survive_even_where_they_look_like_a_telephone() -> None:
    for _ in range(2000):
        text = f"job {new_id()} of {UUID(int=13812345678)}"
        assert logs.mask(None, "", {"event": text})["event"] == text
