"""Full, said at once: as the whole way of a booking says it, and to nobody who would hear anything else there.

Each of these needs two things at once: somebody who is answered at once, and somebody who must not be.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time as time_of_day
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import make_department, make_hospital, make_schedule
from people import resident_id
from people_http import MOTHER, SELF, Clinic, Patient, open_clinic
from sqlalchemy import select, update
from werkzeug.test import EnvironBuilder, TestResponse

from core.booking.nothing_left import Asking, still_full
from core.identity.login import token_digest
from core.transactions import Overloaded
from miniapp_api import full_at_once
from miniapp_api.command import run_command
from miniapp_api.config import Config
from miniapp_api.full_lately import FullLately
from miniapp_api.keys import write_keys
from miniapp_api.limits import limits_of
from miniapp_api.patient import appointments
from miniapp_api.refused import EXTENSION, RefusedBookings
from miniapp_api.services import EXTENSION as SERVICES
from miniapp_api.windows import SlidingWindow
from models.account import Account, LoginSession
from models.appointment import Appointment, AppointmentStatus, CancelReason
from models.database import Database
from models.hospital import Department
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus, WithheldReason

CANCELLED = {"status": AppointmentStatus.CANCELLED, "cancel_reason": CancelReason.PATIENT}
TERMS = {"min_identity_level": 0, "max_open_holds_account": 50}


@dataclass
class Rush:
    """A half day with two numbers, both had by `holder`'s and another's; `late` comes after."""

    clinic: Clinic
    schedule_id: str
    people: list[tuple[Patient, str]]
    asked: list[str] = field(default_factory=list)
    first: list[bytes] = field(default_factory=list)

    @property
    def memory(self) -> FullLately:
        found: FullLately = self.clinic.app.extensions["yuezhen-full-lately"]
        return found

    def book(self, at: int, *, key: str | None = None, **more: Any) -> TestResponse:
        patient, dependent_id = self.people[at]
        body = {"schedule_id": self.schedule_id, "dependent_id": dependent_id, "pay": "on_site"} | more
        return patient.post("/appointments", body, key=key)

    def change(self, *statements: Any) -> None:
        def step(session: Any, _now: Any) -> None:
            for statement in statements:
                session.execute(statement)

        self.clinic.workbench.transactions.write(step)

    def is_said(self, at: int = 2) -> bool:
        """Whether sold out is said without the whole way of a booking."""
        before = len(self.asked)
        answer = self.book(at)
        if len(self.asked) > before:
            return False
        assert (answer.status_code, answer.json["code"]) == (409, "sold_out")
        return True


@pytest.fixture
def rush(database: Database, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rush]:
    write_keys(tmp_path / "keys.json")
    (tmp_path / "platforms.json").write_text("{}")
    url = database.url.render_as_string(hide_password=False)
    environ = {"MODE": "local", "DATA_DIR": str(tmp_path), "DATABASE_URL": url}
    with open_clinic(Config.from_environ(environ), clock) as clinic:

        def make(session: Any, _now: Any) -> Schedule:
            department = make_department(session, make_hospital(session))
            return make_schedule(session, department, numbers=2, terms=TERMS, release_at=clock.now(), now=clock.now())

        made = Rush(clinic, str(clinic.workbench.transactions.write(make).id), [come(clinic, at) for at in range(4)])
        monkeypatch.setattr(appointments, "run_command", lambda *a, **k: made.asked.append("") or run_command(*a, **k))
        made.memory.seconds = 60
        first = [made.book(at, key=f"the-first-key-of-{at}") for at in (0, 1)]
        assert [one.status_code for one in first] == [201, 201]
        made.first += [one.data for one in first]
        assert made.book(2).json["code"] == "sold_out"
        assert made.is_said()
        yield made


def come(clinic: Clinic, at: int, *, account: str | None = None) -> tuple[Patient, str]:
    patient = clinic.patient(account or f"somebody-{at}")
    number = resident_id(order=2 * at + 101)
    return patient, patient.add(SELF | {"id_number": number, "phone": f"13800000{at:03d}"})


def test_it_is_what_the_whole_way_says_and_is_counted_alike(rush: Rush) -> None:
    patient, dependent_id = rush.people[2]
    body = {"schedule_id": rush.schedule_id, "dependent_id": dependent_id, "pay": "on_site"}
    refused: RefusedBookings = rush.clinic.app.extensions[EXTENSION]
    for language in ("", "zh-CN,zh;q=0.9", "en"):
        refused._counted.clear()
        said = []
        for long_way in (True, False, False):
            if long_way:
                rush.memory._said.clear()
            before = len(rush.asked)
            said.append(patient.send("POST", "/appointments", body, key=str(uuid4()), **{"Accept-Language": language}))
            assert (len(rush.asked) > before) == long_way
        assert refused._counted == {(UUID(rush.schedule_id), "sold_out"): 3}
        told = [(one.status, one.json | {"instance": "-"}, [name for name, _ in one.headers]) for one in said]
        assert told[0] == told[1] == told[2]


def test_numbers_that_may_return_are_counted_as_on_the_whole_way(rush: Rush) -> None:
    rush.change(update(Slot).values(status=SlotStatus.HELD))
    said = [rush.book(2).json for _ in range(2)]
    assert len(rush.asked) == 4  # two numbers, and what was refused the whole way before and after the change
    assert [one | {"instance": "-"} for one in said] == [said[0] | {"instance": "-"}] * 2
    assert (said[0]["code"], "retry_at" in said[0]) == ("numbers_in_flight", True)


def test_whoever_has_a_number_or_repeats_a_key_is_never_answered_so(rush: Rush) -> None:
    assert [rush.book(at, key=f"the-first-key-of-{at}").data for at in (0, 1)] == rush.first
    assert rush.book(0).json["code"] == "already_booked"
    patient, _ = rush.people[2]
    added = patient.post("/dependents", MOTHER, key="used-for-something-else")
    assert added.status_code == 201
    assert rush.is_said()
    assert rush.book(2, key="used-for-something-else").json["code"] == "idempotency_key_reused"


def test_whoever_is_booked_here_by_another_account_is_as_anybody_else(rush: Rush) -> None:
    """At once and on the whole way: neither the answer nor its length tells that they are booked."""
    rush.people.append(come(rush.clinic, 0, account="the-first-by-another-account"))
    assert rush.is_said(4)
    rush.memory._said.clear()
    assert rush.book(4).json["code"] == "sold_out"


def test_whoever_is_not_themselves_hears_that_at_once(rush: Rush) -> None:
    patient, dependent_id = rush.people[3]
    now, own = rush.clinic.clock.now(), Dependent.id == UUID(dependent_id)
    for case, wrong, right in (
        ("not_found", update(Dependent).where(own).values(archived_at=now), {"archived_at": None}),
        ("unauthenticated", update(LoginSession).values(revoked_at=now), {"revoked_at": None}),
        ("unauthenticated", update(LoginSession).values(expires_at=now), {"expires_at": now + timedelta(days=1)}),
        ("unauthenticated", update(Account).values(closed_at=now), {"closed_at": None}),
    ):
        assert rush.is_said(3)
        rush.change(wrong)
        assert rush.book(3).json["code"] == case
        rush.change(update(wrong.entity_description["entity"]).values(right))
    assert rush.is_said(3)
    for whose in (rush.people[0][1], str(uuid4())):
        assert rush.book(3, dependent_id=whose).json["code"] == "not_found"
    patient.token = "x" * 43
    assert rush.book(3).status_code == 401


def test_a_number_that_is_free_or_may_return_ends_it_at_once(rush: Rush) -> None:
    one = select(Slot.id).order_by(Slot.sequence).limit(1).scalar_subquery()
    slot, booked = update(Slot).where(Slot.id == one), {"status": SlotStatus.BOOKED, "withheld_reason": None}
    cooling = slot.values(status=SlotStatus.WITHHELD, withheld_reason=WithheldReason.COOLING)
    for expected, change in (
        ("numbers_in_flight", slot.values(status=SlotStatus.HELD)),
        ("numbers_in_flight", cooling),
        ("schedule_suspended", update(Schedule).values(status=ScheduleStatus.SUSPENDED)),
        ("schedule_closed", update(Schedule).values(status=ScheduleStatus.CLOSED)),
    ):
        assert rush.is_said()
        rush.change(change)
        assert rush.book(2).json["code"] == expected
        rush.change(slot.values(booked), update(Schedule).values(status=ScheduleStatus.OPEN))
        rush.book(2)  # the whole way, as what was said last is not so any more
    assert rush.is_said()
    rush.change(
        update(Appointment).values(CANCELLED | {"ended_at": rush.clinic.clock.now()}),
        slot.values(status=SlotStatus.FREE),
    )
    assert rush.book(2).status_code == 201


def test_what_is_wrong_with_a_request_comes_first(rush: Rush) -> None:
    for code, wrong in (
        ("validation_failed", {"pay": "with_shells"}),
        ("validation_failed", {"pay": True}),
        ("fee_changed", {"expected_fee_fen": 1}),
        ("validation_failed", {"unknown": 1}),
        ("validation_failed", {"segment_starts_at": "2026-11-25T02:00:00.001Z"}),
        ("validation_failed", {"dependent_id": "x"}),
        ("not_found", {"schedule_id": str(uuid4())}),
        ("validation_failed", {"complaint": "x" * 501}),
    ):
        assert [rush.book(2, **wrong).json["code"] for _ in range(2)] == [code] * 2, wrong
    patient, dependent_id = rush.people[2]
    body = json.dumps({"schedule_id": rush.schedule_id, "dependent_id": dependent_id, "pay": "on_site"})
    for sent, content_type, key in (
        (body[:-1], "application/json", str(uuid4())),
        (body.replace("{", '{"pay": "on_site", '), "application/json", str(uuid4())),
        (body, "text/plain", str(uuid4())),
        (body, "application/json", "short"),
    ):
        headers = {"Authorization": f"Bearer {patient.token}", "Idempotency-Key": key, "Content-Type": content_type}
        assert patient.client.post("/api/v1/appointments", data=sent, headers=headers).status_code in (400, 415)
    assert rush.is_said()


def test_no_second_longer(rush: Rush) -> None:
    rush.memory.seconds = 0.3
    rush.memory._said.clear()
    assert not rush.is_said()
    began = time.monotonic()
    while rush.is_said():
        assert time.monotonic() < began + 0.3 + 0.5


def test_while_a_number_is_freed_and_taken_again_everybody_hears_the_truth(rush: Rush) -> None:
    """One gives the number to everybody again and again; whoever gets it repeats the key at once and gets the same."""
    rush.people += [come(rush.clinic, at) for at in range(10, 13)]
    wrong: list[str] = []
    won: list[UUID] = []
    over = threading.Event()
    guard = threading.Lock()

    def try_on(at: int) -> None:
        while not over.is_set():
            key = str(uuid4())
            answer = rush.book(at, key=key)
            if answer.status_code != 201:
                if answer.json["code"] not in ("sold_out", "numbers_in_flight", "already_booked", "overloaded"):
                    wrong.append(answer.text)
                continue
            again = rush.book(at, key=key)
            if again.data != answer.data:
                wrong.append(f"{answer.text} and then {again.text}")
            with guard:
                won.append(UUID(answer.json["id"]))
            free(UUID(answer.json["id"]))

    def free(appointment_id: UUID) -> None:
        """As if it had never been: by and by everybody may have it again."""

        def step(session: Any, now: Any) -> None:
            appointment = session.get(Appointment, appointment_id)
            session.execute(
                update(Appointment)
                .where(Appointment.id == appointment_id)
                .values(CANCELLED | {"ended_at": now - timedelta(days=3)})
            )
            session.execute(update(Slot).where(Slot.id == appointment.slot_id).values(status=SlotStatus.FREE))

        rush.clinic.workbench.transactions.write(step)

    free(rush.clinic.workbench.transactions.read(lambda session, _now: session.scalar(select(Appointment.id).limit(1))))
    before = len(rush.asked)
    threads = [threading.Thread(target=try_on, args=(at,)) for at in range(2, len(rush.people))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(won) < 12 and time.monotonic() < deadline and not wrong:
        time.sleep(0.05)
    over.set()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert len(won) >= 12
    assert len(rush.asked) > before


def test_a_limit_counts_each_request_once_whichever_way_it_goes(rush: Rush) -> None:
    limits = limits_of(rush.clinic.app)
    for window in (limits.address, limits.account):
        assert isinstance(window, SlidingWindow)
        before = sum(window._now.values()) + sum(window._before.values())
        assert rush.is_said()
        rush.memory._said.clear()
        assert not rush.is_said()  # and is remembered again
        assert rush.book(2, pay="with_shells").status_code == 422
        rush.change(update(Slot).values(status=SlotStatus.HELD))
        assert rush.book(2).json["code"] == "numbers_in_flight"  # looked at, and then asked the whole way
        rush.change(update(Slot).values(status=SlotStatus.BOOKED))
        rush.memory._said.clear()
        assert not rush.is_said()
        assert sum(window._now.values()) + sum(window._before.values()) - before == 5


def test_whoever_is_past_a_limit_hears_that(rush: Rush) -> None:
    limits = limits_of(rush.clinic.app)
    for window in (limits.account, limits.address):
        assert isinstance(window, SlidingWindow)
        assert rush.is_said()
        allowed, window._amount = window._amount, 0
        assert [rush.book(2).json["code"] for _ in range(2)] == ["rate_limited"] * 2
        window._amount = allowed


def test_what_is_not_certain_goes_the_whole_way(rush: Rush) -> None:
    """And is answered there as if it had never been looked at: the body is read again."""
    patient, dependent_id = rush.people[2]
    body = json.dumps({"schedule_id": rush.schedule_id, "dependent_id": dependent_id, "pay": "on_site"}).encode()
    own = {"Authorization": f"Bearer {patient.token}", "Idempotency-Key": "a-key-of-their-own"}
    for more, query, code in (
        ({"Content-Encoding": "gzip"}, "", "unsupported_media_type"),
        ({"Content-Type": "application/json; charset=gbk"}, "", "unsupported_media_type"),
        ({"Authorization": "Basic abc"}, "", "unauthenticated"),
        ({"Idempotency-Key": "with a space in it"}, "", "idempotency_key_required"),
        ({}, "?a=1", "validation_failed"),
        ({"X-Padding": "1"}, "", "sold_out"),
    ):
        headers = {"Content-Type": "application/json"} | own | more
        told = patient.client.post(f"/api/v1/appointments{query}", data=body, headers=headers)
        assert told.json["code"] == code, (more, query)
    for sent in (b"[" * 1_990, b'{"a":' * 300, b"\xff" + body, b"\xef\xbb\xbf" + body, body + b" " * 2_000, b"{}"):
        told = patient.client.post(
            "/api/v1/appointments", data=sent, headers=own | {"Content-Type": "application/json"}
        )
        assert told.json["code"] in {"malformed_json", "validation_failed", "sold_out"}, sent[:20]
    assert rush.is_said()


def layer_config(rush: Rush) -> Config:
    config: Config = rush.clinic.app.extensions[SERVICES].config
    return config


def test_a_body_that_breaks_off_is_waited_for_once_and_flask_hears_how_it_ended(rush: Rush) -> None:
    class Silent(io.RawIOBase):
        asked = 0

        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: Any) -> int:
            self.asked += 1
            raise BlockingIOError

    def flask(environ: Any, _start: Any) -> list[bytes]:
        with pytest.raises(BlockingIOError):
            environ["wsgi.input"].read(10)
        return [b"heard"]

    patient, _ = rush.people[2]
    layer = full_at_once.FullAtOnce(rush.clinic.app, flask, layer_config(rush))
    body = Silent()
    sent = EnvironBuilder(path="/api/v1/appointments", method="POST").get_environ() | {
        "HTTP_AUTHORIZATION": f"Bearer {patient.token}",
        "HTTP_IDEMPOTENCY_KEY": str(uuid4()),
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "120",
        "wsgi.input": body,
    }
    assert layer(sent, None) == [b"heard"]
    assert body.asked == 1
    window = limits_of(rush.clinic.app).address
    assert isinstance(window, SlidingWindow)
    window._amount, later = 0, Silent()
    layer = full_at_once.FullAtOnce(rush.clinic.app, lambda *_: [b"refused"], layer_config(rush))
    assert layer(sent | {"wsgi.input": later}, None) == [b"refused"]
    assert later.asked == 0  # nobody past their limit is waited for


@pytest.mark.parametrize("failure", [Overloaded, RuntimeError])
def test_where_it_cannot_look_the_whole_way_answers(
    rush: Rush, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(full_at_once, "still_full", away)
    before = len(rush.asked)
    assert rush.book(2).json["code"] == "sold_out"
    assert len(rush.asked) == before + 1


def test_of_a_segment_only_sold_out_is_said_again(rush: Rush) -> None:
    """What may return is counted of the whole half day, and another segment's is not this one's."""
    starts = rush.clinic.workbench.transactions.read(
        lambda session, _now: session.scalars(select(Slot.starts_at)).first()
    )
    wish = {"segment_starts_at": starts.strftime("%Y-%m-%dT%H:%M:%S.000Z")}
    said = [rush.book(2, **wish).json["code"] for _ in range(2)]
    assert (said, len(rush.asked)) == (["sold_out"] * 2, 4)
    rush.change(update(Slot).values(status=SlotStatus.HELD))
    rush.memory._said.clear()
    said = [rush.book(2, **wish).json["code"] for _ in range(2)]
    assert (said, len(rush.asked)) == (["numbers_in_flight"] * 2, 6)


def test_its_line_in_the_log_is_that_of_any_other(rush: Rush, caplog: pytest.LogCaptureFixture) -> None:
    lines = []
    for long_way in (True, False):
        if long_way:
            rush.memory._said.clear()
        caplog.clear()
        answer = rush.book(2)
        line = json.loads(next(one.getMessage() for one in caplog.records if one.name == "miniapp_api.access"))
        assert line.pop("request_id") == answer.headers["X-Request-Id"] == answer.json["instance"][9:]
        lines.append({name: value for name, value in line.items() if name not in ("ms", "timestamp")})
    assert lines[0] == lines[1]
    assert lines[1]["account_id"] is not None


def test_all_who_ask_at_one_moment_hear_what_each_would_hear_alone(rush: Rush) -> None:
    """Two half days, one of them with a number again; somebody with a number, a key that was used, no login, and
    somebody else's dependent."""

    def make(session: Any, now: Any) -> UUID:
        department = session.scalars(select(Department)).one()
        return make_schedule(session, department, starts=time_of_day(14), terms=TERMS, release_at=now, now=now).id

    transactions = rush.clinic.workbench.transactions
    other = transactions.write(make)
    logins = [token_digest(patient.token) for patient, _ in rush.people]
    dependents = [UUID(dependent_id) for _, dependent_id in rush.people]
    full = UUID(rush.schedule_id)
    asked = [
        *[Asking(logins[at], f"a-key-of-no-one-{at}", full, dependents[at]) for at in range(4)],
        Asking(logins[0], "the-first-key-of-0", full, dependents[0]),
        Asking(logins[2], "a-key-of-no-one-2b", other, dependents[2]),
        Asking(logins[2], "a-key-of-no-one-2c", full, dependents[3]),
        Asking(b"\0" * 32, "a-key-of-no-one-5", full, dependents[2]),
        Asking(logins[2], "a-key-of-no-one-2", uuid4(), dependents[2]),
        Asking(logins[3], "a-key-of-no-one-3", full, dependents[3]),
    ]
    together = still_full(transactions, asked)
    assert together == [still_full(transactions, [one])[0] for one in asked]
    told = [at for at, one in enumerate(together) if one is not None]
    assert told == [2, 3, 9]
    accounts = [one.account_id for one in together if one is not None]
    assert accounts[1] == accounts[2] != accounts[0]
