"""The real app over HTTP with its real adapters, the real sandbox beside it, and a clock that the test moves.

Stamps on what the platform sends are the machine's time, and 300 seconds of difference are refused: a test moves the
clock by less.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cases import Case, booked_by
from crowd import Stranger, Town
from fakes import ManualClock
from harness import make_runner
from running import blank_postgres, looking_at, vault_of
from shared_app import app_with
from sqlalchemy import delete, select
from werkzeug.serving import WSGIRequestHandler, make_server
from wire import NoAnswer, eventually, over_http

from core.clock import DatabaseClock
from core.jobs.runner import Runner
from core.transactions import Transactions
from core.workbench import Workbench
from migrations import upgrade
from miniapp_api.app import App
from miniapp_api.config import Config
from miniapp_api.keys import write_keys
from miniapp_api.services import EXTENSION
from miniapp_api.worker import HANDLERS, SHARES
from models.payment import LIVE_PAYMENT
from models.platform import PlatformEvent, RefusedEvent
from models.refund_pace import RefundPace
from sandbox.app import Running

SHORT_HOLD = {"hold_minutes": 3}
"""Long enough to open a prepay, and over before the platform's stamps look old."""
HOLD_OVER = timedelta(minutes=3, seconds=1)


@dataclass
class Stage:
    """One app with one sandbox."""

    app: App
    base_url: str
    platform: Running
    clock: ManualClock
    town: Town

    @property
    def workbench(self) -> Workbench:
        found: Workbench = self.app.extensions[EXTENSION].workbench
        return found

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the sandbox's /control that must succeed."""
        answer = over_http(self.platform.base_url)(method, f"/control{path}", body, {})
        assert 200 <= answer.status < 300, answer
        return answer.json

    def runner(self) -> Runner:
        return make_runner(self.workbench)

    def return_to_the_present(self) -> None:
        """In a database where other tests were ahead of it. The turns that their refunds had are of no account then."""
        self.clock.set(datetime.now(UTC))
        with self.town.database.write() as session:
            session.execute(delete(RefundPace))

    def work(self, *, after: timedelta = timedelta(0)) -> None:
        """Let time pass, then run every job that is due."""
        self.clock.advance(after)
        runner = self.runner()
        for _ in range(20):
            if not runner.run_due():
                return

    def work_until(self, holds: Any, what: str, *, step: float = 5.0, most: float = 200.0) -> None:
        """Let time pass in steps (seconds) until it holds by itself."""
        passed = 0.0
        self.work()
        while not holds():
            assert passed <= most, f"not by itself within {most:g} s: {what}"
            self.work(after=timedelta(seconds=step))
            passed += step

    @contextmanager
    def workers(self, *, count: int, **settings: Any) -> Iterator[None]:
        """So many beside the test, each with the shares of its threads that a worker has, and by the real clock, which
        the test does not move."""
        database = self.workbench.transactions.database
        bench = replace(self.workbench, transactions=Transactions(database, DatabaseClock(database)), **settings)
        over = threading.Event()
        runners = [Runner(bench, HANDLERS, name=f"w{number}", shares=SHARES) for number in range(count)]
        threads = [threading.Thread(target=one.run_until, args=(over,)) for one in runners]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def case(self, stranger: Stranger | None = None, *, channel: str = "wechat_jsapi", **schedule: Any) -> Case:
        """A number held for payment, in a schedule of its own."""
        schedule_id = self.town.schedule(**{"numbers": 2, "now": self.clock.now(), "terms": SHORT_HOLD} | schedule)
        return booked_by(self, stranger or self.town.stranger(), schedule_id, channel=channel)

    def opened(self, **schedule: Any) -> Case:
        """With its prepay handed out."""
        case = self.case(**schedule)
        assert case.open_payment().status == 201
        return case

    def paid(self, **schedule: Any) -> Case:
        """Booked, by the platform's event."""
        case = self.opened(**schedule)
        self.deliver(case.pay())
        self.work()
        assert case.is_booked()
        return case

    def try_to_pay(self, case: Case) -> bool:
        """At the platform, which refuses where the number is closed."""
        send = over_http(self.platform.base_url)
        answer = send("POST", f"/control/payments/{case.trade_no}/pay", {}, {})
        assert answer.status == 200 or answer.json["code"] in {"order_closed", "order_paid"}, answer
        return answer.status == 200

    def settle(self, *cases: Case) -> None:
        """Until nothing of them is open, at the platform or here."""

        def is_settled() -> bool:
            open_payments = any(one.status in LIVE_PAYMENT for case in cases for one in case.payments())
            return not open_payments and all(one.succeeded_at for case in cases for one in case.refunds())

        self.work_until(is_settled, "every payment and refund is settled", most=90)

    def deliver(self, event_id: str) -> dict[str, Any]:
        """Wait until the platform is rid of its event."""

        def done() -> dict[str, Any] | None:
            (notice,) = self.control("GET", f"/notices?id={event_id}")["items"]
            return dict(notice) if notice["state"] not in {"pending", "held"} else None

        found: dict[str, Any] = eventually(done, f"{event_id} is delivered", within=30, every=0.01)
        return found

    def inbox(self) -> list[tuple[str, str | None, int]]:
        """Each stored event: state, outcome, copies."""
        with self.town.database.read() as session:
            events = session.scalars(select(PlatformEvent).order_by(PlatformEvent.id))
            return [(str(one.state), one.outcome, one.copies) for one in events]

    def refused(self) -> list[str]:
        """Why what nothing proved was kept apart."""
        with self.town.database.read() as session:
            return list(session.scalars(select(RefusedEvent.reason).order_by(RefusedEvent.id)))

    def asked(self, operation: str, number: str) -> int:
        """How often the platform was called so."""
        return len(self.control("GET", f"/calls?operation={operation}&number={number}")["items"])


@contextmanager
def on_stage_with(kind: str, request: pytest.FixtureRequest, platform: Running, folder: Path) -> Iterator[Stage]:
    """As `on_stage`, over a new database of that kind, sqlite or postgres, for a module that has one for all."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'yuezhen.db'}"
        upgrade(url)
        with on_stage(platform, url, folder / "data") as opened:
            yield opened
        return
    with blank_postgres(request.getfixturevalue("postgres_server")) as url:
        upgrade(url)
        with on_stage(platform, url, folder / "data") as opened:
            yield opened


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Requests are logged by the app."""


@contextmanager
def on_stage(platform: Running, database_url: str, folder: Path) -> Iterator[Stage]:
    """Serve the app on a free port for the length of the block."""
    folder.mkdir(exist_ok=True)
    write_keys(folder / "keys.json")
    accounts = over_http(platform.base_url)("GET", "/control/credentials", None, {}).json
    (folder / "platforms.json").write_text(json.dumps(accounts))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environ = {"DATA_DIR": str(folder), "DATABASE_URL": database_url, "PUBLIC_BASE_URL": base_url}
        config = Config.from_environ({"MODE": "local", **environ})
        clock = ManualClock(datetime.now(UTC))
        app = app_with(config, clock=clock)
        database = app.extensions[EXTENSION].workbench.transactions.database
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet, fd=listening.fileno())
    thread = threading.Thread(target=lambda: server.serve_forever(0.02))
    thread.start()
    try:
        eventually(lambda: _answers(base_url), "the app answers")
        # What the test itself writes is not tried again, so it is not given up as soon as what the app writes.
        with looking_at(database_url) as patient:
            yield Stage(app, base_url, platform, clock, Town(patient, vault_of(config), over_http(base_url)))
    finally:
        over_http(platform.base_url)("DELETE", "/control/faults", None, {})
        server.shutdown()
        thread.join()
        server.server_close()
        database.close()


def _answers(base_url: str) -> bool:
    try:
        return over_http(base_url)("GET", "/healthz", None, {}).status == 200
    except NoAnswer:
        return False
