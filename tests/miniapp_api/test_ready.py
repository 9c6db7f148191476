"""Replies that are ready: the bytes and headers of Flask, counted and logged as by Flask, and not a second longer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from catalog_folder import Folder
from flask import request_started
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse
from wire import eventually

from core.catalog.publish import extend_schedules
from core.clock import hospital_day
from core.transactions import Transactions
from miniapp_api import ready
from miniapp_api.app import App
from miniapp_api.cacheable import EXTENSION, SingleFlight
from miniapp_api.config import Config
from miniapp_api.logs import MASK
from miniapp_api.services import EXTENSION as SERVICES
from models.hospital import Department, Hospital
from models.schedule import Schedule, ScheduleStatus

NOBODY = "00000000-0000-7000-8000-000000000001"
OWN = {"X-Request-Id", "Date"}


@dataclass
class Counter:
    """A client, the open paths whose replies are shared, and what Flask was asked."""

    app: App
    client: FlaskClient
    paths: list[str]
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, address: str = "192.0.2.1", **headers: str) -> TestResponse:
        return self.client.get(path, headers=headers, environ_base={"REMOTE_ADDR": address})

    def through_flask(self, path: str, **headers: str) -> TestResponse:
        """As it was without the layer."""
        before = len(self.asked)
        outer, self.app.wsgi_app = self.app.wsgi_app, self.app.wsgi_app._inner  # type: ignore[method-assign,attr-defined]
        try:
            return self.get(path, **headers)
        finally:
            self.app.wsgi_app = outer  # type: ignore[method-assign]
            assert len(self.asked) == before + 1

    def lasting(self, seconds: float) -> None:
        """From now on a fill is kept so long."""
        self.app.extensions[EXTENSION] = SingleFlight(seconds=seconds)


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@pytest.fixture
def counter(
    make_app: Callable[[Config], App], config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Counter:
    app = make_app(replace(config, address_limit="200/minute"))
    transactions: Transactions = app.extensions[SERVICES].workbench.transactions
    path = tmp_path / "directory"
    path.mkdir()
    Folder(path).load(transactions)
    extend_schedules(transactions)
    found = Counter(app, app.test_client(), transactions.read(_paths))
    heard = lambda _app, **_more: found.asked.append("asked")  # noqa: E731
    request_started.connect(heard, app)
    monkeypatch.setattr(found, "heard", heard, raising=False)  # signals hold their receivers weakly
    found.lasting(60)
    return found


def _paths(session: Any, now: datetime) -> list[str]:
    department = session.scalars(select(Department.id).where(Department.code == "H1-D1")).one()
    hospital = session.scalars(select(Hospital.id).where(Hospital.code == "H1")).one()
    schedule = session.scalars(select(Schedule).order_by(Schedule.visit_date, Schedule.id)).first()
    day: date = hospital_day(now)
    return [
        f"/api/v1/departments/{department}/schedules?from={day}&to={day.replace(day=28)}",
        f"/api/v1/departments/{department}/schedules?limit=1",
        f"/api/v1/hospitals/{hospital}/schedules?date={schedule.visit_date}",
        f"/api/v1/schedules/{schedule.id}/slots",
        f"/api/v1/schedules/{schedule.id}/fairness",
    ]


def told(reply: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    assert reply.headers["X-Request-Id"]
    return reply.status_code, reply.data, [(name, value) for name, value in reply.headers if name not in OWN]


def test_they_are_what_flask_says_byte_for_byte(counter: Counter) -> None:
    for path in counter.paths:
        etag = counter.get(path).headers["ETag"]
        conditions = {etag: 304, f"W/{etag}": 304, f'"x", {etag}': 304, "*": 304, '"x"': 200, "nonsense": 200, "": 200}
        for sent, status in [({}, 200), *(({"If-None-Match": one}, status) for one, status in conditions.items())]:
            expected = told(counter.through_flask(path, **sent))
            counter.get(path, "192.0.2.2", **sent)  # where it is the first of its status, Flask says it
            before = len(counter.asked)
            ready = [counter.get(path, "192.0.2.3", **sent) for _ in range(2)]
            assert len(counter.asked) == before, (path, sent)
            assert [told(one) for one in ready] == [expected] * 2
            assert expected[0] == status
            assert {name for name, _ in ready[0].headers} >= OWN
            assert ready[0].headers["X-Request-Id"] != ready[1].headers["X-Request-Id"]


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "HEAD"},
        {"method": "OPTIONS"},
        {"method": "POST"},
        {"headers": {"If-Match": '"x"'}},
        {"headers": {"If-Modified-Since": "Sun, 22 Nov 2026 02:00:00 GMT"}},
        {"headers": {"Range": "bytes=0-1"}},
        {"base_url": "http://localhost/x"},
    ],
)
def test_what_is_not_just_such_a_get_goes_to_flask(counter: Counter, asked: dict[str, Any]) -> None:
    path = counter.paths[0]
    counter.get(path)
    counter.client.open(path, **asked)
    assert len(counter.asked) == 2


def test_what_is_not_shared_is_never_kept(counter: Counter) -> None:
    for path in ("/api/v1/hospitals", "/api/v1/time", "/healthz", f"/api/v1/schedules/{NOBODY}/slots", "/nowhere"):
        counter.asked.clear()
        assert counter.get(path).status_code == counter.get(path).status_code
        assert len(counter.asked) == 2, path
    for path in (f"{counter.paths[0]}&x=1", counter.paths[0].replace("from=", "to=")):
        assert [counter.get(path).status_code for _ in range(2)] == [422, 422]


def test_no_second_longer(counter: Counter) -> None:
    transactions = counter.app.extensions[SERVICES].workbench.transactions
    path = counter.paths[1]
    counter.lasting(0.2)
    filled_before = time.monotonic()
    first = counter.get(path).get_json()["items"][0]
    transactions.write(lambda session, _now: session.execute(update(Schedule).values(status=ScheduleStatus.SUSPENDED)))
    while (items := counter.get(path, "192.0.2.9").get_json()["items"]) and items[0] == first:
        assert time.monotonic() < filled_before + 0.2 + 0.5
        time.sleep(0.05)
    assert items[0]["status"] == "suspended"


def test_while_one_has_it_filled_anew_the_others_get_the_old_one_for_a_moment_and_no_longer(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "_MOMENT", 60)
    path, go_on = counter.paths[0], threading.Event()
    counter.lasting(0.1)
    old = counter.get(path)

    def hold(_app: Any, **_more: Any) -> None:
        go_on.wait(10)

    request_started.connect(hold, counter.app)
    time.sleep(0.1)
    with ThreadPoolExecutor(2) as pool:
        try:
            renewing = pool.submit(counter.app.test_client().get, path)
            eventually(lambda: len(counter.asked) == 2, "one has it filled")
            assert told(counter.get(path)) == told(old)
            assert len(counter.asked) == 2
            monkeypatch.setattr(ready, "_MOMENT", 0)
            late = pool.submit(counter.app.test_client().get, path)
            eventually(lambda: len(counter.asked) == 3, "the next one waits too")
        finally:
            go_on.set()
    assert [one.result().data for one in (renewing, late)] == [old.data] * 2


def test_they_count_against_the_address(counter: Counter) -> None:
    path = counter.paths[1]
    statuses = [counter.get(path, "198.51.100.1").status_code for _ in range(202)]
    assert statuses == [200] * 200 + [429] * 2
    assert len(counter.asked) == 1 + 2
    assert counter.get(path, "198.51.100.2").status_code == 200


def test_each_is_one_line_with_nothing_of_the_caller_in_it(counter: Counter, capfd: pytest.CaptureFixture[str]) -> None:
    path = counter.paths[0]
    capfd.readouterr()
    replies = [
        counter.get(path, **{"X-Request-Id": sent}) for sent in ("theirs-7", "theirs-7", "a.13812345678.b", "a b")
    ]
    assert len(counter.asked) == 1
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["request_id"] for line in lines] == [reply.headers["X-Request-Id"] for reply in replies]
    assert [line.get("caller_request_id") for line in lines] == ["theirs-7", "theirs-7", f"a.{MASK}.b", None]
    own = {"ms", "timestamp", "request_id"}
    by_flask, ready = ([(key, value) for key, value in line.items() if key not in own] for line in lines[:2])
    assert by_flask == ready
    assert ready[:4] == [
        ("method", "GET"),
        ("route", "/api/v1/departments/<uuid:department_id>/schedules"),
        ("status", 200),
        ("problem_code", None),
    ]


def test_nothing_of_the_request_before_is_in_the_line(counter: Counter, capfd: pytest.CaptureFixture[str]) -> None:
    """The layer takes a thread in which Flask has just answered somebody else."""
    counter.get(counter.paths[0])
    counter.get("/api/v1/time", **{"X-Request-Id": "somebody-else"})
    capfd.readouterr()
    counter.get(counter.paths[0])
    assert "somebody-else" not in capfd.readouterr().err


def test_many_at_once_get_whole_replies(counter: Counter) -> None:
    """While fills end and begin under them."""
    counter.lasting(0.3)
    path, bodies, end = counter.paths[1], [], time.monotonic() + 1.5
    expected = told(counter.get(path))

    def ask(at: int) -> None:
        client = counter.app.test_client()
        for _ in range(35):
            bodies.append(told(client.get(path, environ_base={"REMOTE_ADDR": f"203.0.113.{at}"})))
            assert time.monotonic() < end + 30

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert bodies == [expected] * (6 * 35)
    assert len(counter.asked) < 6 * 35
