"""A client of a running Yuezhen: its HTTP face, the sandbox's /control, and the operator's commands. Imports nothing of
the project; used by `journey.py`."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

API = f"http://127.0.0.1:{os.environ.get('API_PORT') or 8000}"
SANDBOX = f"http://127.0.0.1:{os.environ.get('SANDBOX_PORT') or 8100}"
TOKEN = os.environ.get("SANDBOX_TOKEN")
ZONE = ZoneInfo("Asia/Shanghai")
PATIENCE = 60.0
_HERE = Path(__file__).resolve().parent
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotAsItShouldBe(Exception):
    """A step came back otherwise than it must."""


def fail(why: str) -> NoReturn:
    raise NotAsItShouldBe(why)


def invented(*secret: str) -> None:
    """Note what was made up, for a test that then looks for it where it must not stand."""
    path = os.environ.get("JOURNEY_SECRETS")
    if path:
        with Path(path).open("a", encoding="utf-8") as notes:
            notes.writelines(f"{one}\n" for one in secret)


def check(holds: bool, why: str) -> None:
    if not holds:
        fail(why)


@dataclass
class Teller:
    """Counts and prints the steps."""

    steps: int = 0

    def __call__(self, what: str, came_back: str) -> None:
        self.steps += 1
        print(f"{self.steps:>3}. {what}: {came_back}", flush=True)


def call(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Status and JSON of one exchange."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} if data is not None else {}
    request = urllib.request.Request(url, data=data, method=method, headers=sent | dict(headers or {}))
    try:
        with _direct.open(request, timeout=30) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    except urllib.error.URLError as error:
        fail(f"{url} does not answer ({error.reason}); is `make run` up?")
    return status, json.loads(raw) if raw else None


def control(method: str, path: str, body: Any = None) -> Any:
    allowed = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    status, answer = call(method, f"{SANDBOX}/control{path}", body, allowed)
    check(200 <= status < 300, f"the sandbox answered {status} to {method} {path}: {answer}")
    return answer


def operator(*command: str, exits: int = 0, at: datetime | None = None) -> list[Any]:
    """Run an operator command and read its JSON lines."""
    said = operator_says(*command, exits=exits, at=at)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def operator_says(*command: str, exits: int = 0, at: datetime | None = None) -> str:
    """Run an operator command, for which it is `at` where that is given; what it printed."""
    moved = {} if at is None else {"STARTS_AT": at.isoformat()}
    ran = subprocess.run(
        [sys.executable, str(_HERE / "flask_here.py"), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | moved,
    )
    check(ran.returncode == exits, f"operator command {command[0]} exited {ran.returncode}: {ran.stderr or ran.stdout}")
    return ran.stdout


@dataclass
class Client:
    """One patient's mini-program."""

    token: str = ""

    def __call__(self, method: str, path: str, body: Any = None, *, expect: int = 200, keyed: bool = False) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if keyed:
            headers["Idempotency-Key"] = secrets.token_hex(16)
        status, answer = call(method, f"{API}/api/v1{path}", body, headers)
        check(status == expect, f"{method} {path} answered {status}, not {expect}: {answer}")
        return answer


@dataclass
class Human:
    """An invented person. The number's sequence is one that no authority issues."""

    name: str
    born: date
    woman: bool = True
    number: str = field(init=False)
    phone: str = field(init=False)
    address: str = field(init=False)

    def __post_init__(self) -> None:
        sequence = 998 if self.woman else 997
        area = random.choice(("320106", "330102", "110101", "310115", "440103", "510104"))
        body = f"{area}{self.born:%Y%m%d}{sequence}"
        weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
        self.number = body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]
        self.phone = "138" + "".join(random.choices("0123456789", k=8))
        self.address = f"虚拟路{random.randrange(100_000, 999_999)}号"
        invented(self.name, self.number, self.phone, self.address)


def invent(surname: str, first_year: int, last_year: int) -> Human:
    days = (date(last_year, 12, 31) - date(first_year, 1, 1)).days
    given = "".join(random.choices("安宁静芳兰梅春秋晓月清和", k=2))
    return Human(surname + given, date(first_year, 1, 1) + timedelta(days=random.randrange(days)))


def eventually(look: Callable[[], Any], holds: Callable[[Any], bool], what: str, *, most: float = PATIENCE) -> Any:
    """Look again until it holds, for `most` seconds."""
    deadline = time.monotonic() + most
    while True:
        seen = look()
        if holds(seen):
            return seen
        if time.monotonic() > deadline:
            fail(f"{what}, still not after {most:.0f} s: {json.dumps(seen, ensure_ascii=False)[:600]}")
        time.sleep(0.3)
