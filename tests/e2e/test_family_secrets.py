"""A family's whole life with us, over HTTP and with the real adapters: afterwards nothing that was made up for it can
be read in a dump of the database, in the logs at DEBUG, or in what another account is told (N-2, L-14, L-15, A-64).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from canaries import all_logged, plant
from people import resident_id
from running import blank_postgres
from stage import Stage, on_stage
from traces import bytes_of, traces
from ward import agree, book
from wire import Phone, over_http

from migrations import upgrade
from sandbox.app import Running
from sandbox.testing import running_sandbox

OFFICIAL = "clinic"
SHOWN = (
    "/account/export", "/account/access-log", "/account", "/account/consents", "/account/joins", "/dependents",
    "/appointments",
)  # fmt: skip
KINDS = {"name", "number", "phone", "address", "open id", "union id", "session key", "access token", "token", "handoff"}
RANDOM = frozenset({"token", "state", "cookie", "handoff"})
"""256 bits from a good source: a digest of them gives nothing away, and is how they are found again."""


class Made:
    """What was made up, by kind; `codes` are the short ones, which stand in innocent bytes by chance."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.codes: list[str] = []

    def __call__(self, kind: str, value: str) -> str:
        kind = f"{kind} {len(self.values)}"
        self.values[kind] = value
        plant(value)
        return value

    def person(self, given: str, *, born: date, order: int, **more: Any) -> dict[str, Any]:
        """Somebody with name, number, phone and address that nobody else has."""
        name = self("name", f"欧阳{given}")
        return {
            "name": name,
            "id_type": "resident_id",
            "id_number": self("number", resident_id(birth=born, order=order)),
            "phone": self("phone", f"137{secrets.randbelow(10**8):08d}"),
            "address": self("address", f"鼓楼区金丝雀路{secrets.randbelow(10**6)}号{given}收"),
            "region_code": "320106",
            **more,
        }


def log_in(stage: Stage, made: Made, provider: str, **more: str) -> Phone:
    open_id = made("open id", "o" + secrets.token_urlsafe(20))
    told = stage.control("POST", "/login-codes", {"provider": provider, "open_id": open_id, **more})
    code = made("login code", told["code"])
    send = over_http(stage.base_url)
    session = send("POST", "/api/v1/sessions", {"provider": provider, "code": code}, {})
    assert session.status == 201, session
    phone = Phone(send, made("token", session.json["token"]))
    agree(phone, "service")
    agree(phone, "sensitive_identity")
    return phone


def add(phone: Phone, person: dict[str, Any]) -> str:
    added = phone.post("/dependents", person)
    assert added.status == 201, added
    return str(added.json["id"])


def prove_phone(stage: Stage, made: Made, phone: Phone) -> None:
    """By a code that came as a text message; the first guess is wrong."""
    number = made("account phone", f"136{secrets.randbelow(10**8):08d}")
    assert phone.send("POST", "/account/phone/otp", {"phone": number}).status == 202
    (text,) = stage.control("GET", f"/sms?phone=%2B86{number}")["items"]
    (code,) = text["params"].values()
    made.codes.append(code)
    assert phone.send("PUT", "/account/phone", {"phone": number, "otp": f"{(int(code) + 1) % 10**6:06d}"}).status == 409
    assert phone.send("PUT", "/account/phone", {"phone": number, "otp": code}).status == 200


def pay_and_cancel(stage: Stage, made: Made, phone: Phone, dependent_id: str) -> None:
    schedule_id = str(stage.town.schedule(now=stage.clock.now(), terms={"min_identity_level": 0}))
    appointment = book(phone, schedule_id, dependent_id)
    assert appointment.status == 201, appointment
    path = f"/appointments/{appointment.json['id']}"
    opened = phone.post(f"{path}/payments", {"channel": "wechat_jsapi"})
    assert opened.status == 201, opened
    stage.deliver(stage.control("POST", f"/payments/{opened.json['out_trade_no']}/pay", {})["event_id"])
    stage.work()
    made("visit pass", phone.get(f"{path}/visit-pass")["code"])
    assert phone.post(f"{path}/cancellation").status == 200
    stage.work(after=timedelta(seconds=5))


def come_by_page(stage: Stage, made: Made) -> None:
    """A follower of the official account: to the platform and back, with a handoff in the fragment."""
    address = urlsplit(stage.base_url)
    begun, cookie = visit(address.netloc, f"/callbacks/wechat-official/{OFFICIAL}/oauth")
    follower, union = (
        made("follower", "f" + secrets.token_urlsafe(20)),
        made("union id", "u" + secrets.token_urlsafe(20)),
    )
    agreed = {"app": OFFICIAL, "open_id": follower, "union_id": union, "url": begun}
    back = urlsplit(stage.control("POST", "/oauth-authorizations", agreed)["redirect"])
    made("state", parse_qs(back.query)["state"][0])
    made("cookie", cookie.partition("=")[2])
    landed, _ = visit(address.netloc, f"{back.path}?{back.query}", cookie)
    handoff = made("handoff", parse_qs(urlsplit(landed).fragment)["handoff"][0])
    session = over_http(stage.base_url)("POST", "/api/v1/sessions", {"provider": "handoff", "code": handoff}, {})
    assert session.status == 201, session
    made("token", session.json["token"])


def visit(netloc: str, path: str, cookie: str = "") -> tuple[str, str]:
    """Where a browser is sent on to, and the cookie it was given."""
    connection = HTTPConnection(netloc, timeout=30)
    try:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        assert answer.status == 302, answer.read()
        given = answer.headers["Set-Cookie"] or ""
        return str(answer.headers["Location"]), given.partition(";")[0]
    finally:
        connection.close()


def live(stage: Stage, made: Made, others: Made) -> Phone:
    """All of it; returns somebody else's phone, who names one of the family too."""
    mother = log_in(stage, made, "wechat_miniapp")
    prove_phone(stage, made, mother)
    herself = made.person("金丝", born=date(1990, 3, 4), order=998, relationship="self")
    own = add(mother, herself)
    father = made.person("老雀", born=date(1955, 5, 6), order=997, relationship="parent")
    fathers = add(mother, father)
    child = made.person("雀儿", born=date(2016, 7, 8), order=996, relationship="daughter", guardian_dependent_id=own)
    childs = add(mother, child)
    agree(mother, "minor", childs)
    face(stage, made, mother, own)
    stage.app.test_cli_runner().invoke(args=["verify-on-site", fathers, "--operator", "desk", "--document-seen"])
    pay_and_cancel(stage, made, mother, own)
    come_by_page(stage, made)
    other = log_in(stage, others, "alipay_miniapp")
    stranger = others.person("旁人", born=date(1955, 5, 6), order=997, relationship="other")
    assert stranger["id_number"] == father["id_number"]
    add(other, stranger)
    wrong = herself | {"relationship": "other", "id_number": herself["id_number"][:-1] + "?"}
    assert mother.post("/dependents", wrong).status == 422
    assert mother.send("PATCH", f"/dependents/{fathers}", {"phone": made("phone", "13912340987")}).status == 200
    mother.get("/account/export")
    leaver = log_in(stage, made, "wechat_miniapp")
    add(leaver, made.person("离雀", born=date(1980, 9, 9), order=997, relationship="self"))
    assert leaver.send("DELETE", "/account").status == 200
    stage.work(after=timedelta(seconds=5))
    kept = stage.platform.sandbox.store
    for row in kept.all("select session_key from users where session_key is not null"):
        made("session key", row["session_key"])
    for row in kept.all("select token from access_tokens union select token from oauth_tokens"):
        made("access token", row["token"])
    return other


def face(stage: Stage, made: Made, phone: Phone, dependent_id: str) -> None:
    agree(phone, "face", dependent_id)
    begun = phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": "wechat_face"})
    assert begun.status == 201, begun
    reference = made("face reference", begun.json["client_params"]["verifyId"])
    stage.control("POST", f"/identity/{reference}/pass")
    done = phone.send("POST", f"/identity-checks/{begun.json['id']}/completion", {})
    assert (done.status, done.json["status"]) == (200, "passed"), done


# --- the tests -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lived:
    """What is left after the family's life. `others` is what somebody else made up, and may read in their export."""

    made: Made
    others: Made
    dump: bytes
    logged: bytes
    told: bytes


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp(f"family-{request.param}")
    with running_sandbox(folder / "sandbox", settle_delay=0.01) as platform:
        if request.param == "sqlite":
            yield _after(platform, f"sqlite:///{folder / 'yuezhen.db'}", folder)
        else:
            with blank_postgres(request.getfixturevalue("postgres_server")) as url:
                yield _after(platform, url, folder)


def _after(platform: Running, url: str, folder: Path) -> Lived:
    upgrade(url)
    made, others = Made(), Made()
    with on_stage(platform, url, folder / "data") as stage, all_logged() as lines:
        other = live(stage, made, others)
        told = b"".join(other.send("GET", path).body for path in SHOWN)
        return Lived(made, others, bytes_of(stage.town.database), "\n".join(lines).encode(), told)


def readable(made: Made, kept: bytes) -> list[str]:
    """The kinds of what was made up that can be read there, plain or in any usual clothes."""
    innocent = re.sub(rb"datetime\.datetime\([^)]*\)", b"", kept)
    codes = [
        code for code in made.codes if re.search(rb"(?<![0-9A-Za-z.:-])%s(?![0-9A-Za-z])" % code.encode(), innocent)
    ]
    return codes + [
        kind
        for kind, value in made.values.items()
        if any(trace in kept for trace in traces(value, digests=kind.partition(" ")[0] not in RANDOM))
    ]


def test_the_dump_gives_nothing_away(lived: Lived) -> None:
    assert {kind.rpartition(" ")[0] for kind in lived.made.values} >= KINDS
    assert len(lived.made.codes) == 1
    assert b"verified" in lived.dump
    assert readable(lived.made, lived.dump) == []
    assert readable(lived.others, lived.dump) == []


def test_the_logs_give_nothing_away_even_at_debug(lived: Lived) -> None:
    for part in (b"/api/v1/dependents", b"/sns/jscode2session", b"/sms/aliyun", b"/callbacks/wechat-official"):
        assert part in lived.logged
    assert readable(lived.made, lived.logged) == []
    assert readable(lived.others, lived.logged) == []


def test_what_another_account_is_told_gives_nothing_away(lived: Lived) -> None:
    """Although it names the same man: his number is in both, and nothing else of the family."""
    number = next(value for kind, value in lived.others.values.items() if kind.startswith("number"))
    assert number.encode() in lived.told
    rest = Made()
    rest.values = {kind: value for kind, value in lived.made.values.items() if value != number}
    rest.codes = lived.made.codes
    assert readable(rest, lived.told) == []
