"""Keys as a probe, a patient and an operator meet them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import ManualClock
from harness import make_runner
from people_http import MOTHER, SELF, Clinic, Patient, open_clinic
from sqlalchemy import select, update
from sqlalchemy.orm import aliased

import migrations
from core.keys.settle import settle_keys
from core.workbench import Workbench
from miniapp_api.app import App
from miniapp_api.config import Config
from miniapp_api.keys import activate_keys, add_keys, write_keys
from miniapp_api.services import EXTENSION
from miniapp_api.worker import work
from models.ciphers import Suite
from models.idempotency import IdempotencyKey
from models.vault_key import Ring

Start = Callable[[], Clinic]


@pytest.fixture
def start(environ: dict[str, str], blank_url: str, clock: ManualClock) -> Iterator[Start]:
    """Start a process over one migrated database, with the key file as it is now."""
    migrations.upgrade(blank_url)
    with ExitStack() as opened:
        yield lambda: opened.enter_context(
            open_clinic(Config.from_environ({**environ, "DATABASE_URL": blank_url}), clock)
        )


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def ready(clinic: Clinic) -> tuple[int, Any]:
    reply = clinic.app.test_client().get("/readyz")
    return reply.status_code, reply.json


def new_key_file(path: Path) -> None:
    path.unlink()
    write_keys(path)


def change_ring(path: Path, ring: str, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content[ring])
    path.write_text(json.dumps(content))


def test_a_wrong_key_file_is_named_and_serves_nobody(start: Start, key_file: Path) -> None:
    first = start()
    assert settle_keys(first.workbench) == []
    patient = first.patient("an")
    assert ready(first)[0] == 200
    secrets = [str(one) for ring in json.loads(key_file.read_text()).values() for one in ring["keys"].values()]
    new_key_file(key_file)
    second = start()
    status, told = ready(second)
    assert (status, told["status"], told["keys"]) == (503, "not_ready", "key_wrong")
    assert told["key_faults"] == [
        {"reason": "key_wrong", "ring": ring, "key_id": 1} for ring in ("hashing", "sealing", "tickets")
    ]
    assert not [secret for secret in secrets if secret in json.dumps(told)]
    refused = Patient(second.app.test_client(), patient.token).post("/dependents", SELF)
    assert (refused.status_code, refused.get_json(force=True)["code"]) == (500, "internal_error")
    with pytest.raises(SystemExit, match="key_wrong: key 1 of the ring hashing"):
        work(second.workbench)


def test_nobody_is_written_under_a_wrong_key_even_where_nobody_looked_before(start: Start, key_file: Path) -> None:
    first = start()
    patient = first.patient("an")
    assert patient.post("/dependents", SELF).status_code == 201
    new_key_file(key_file)
    second = start()
    refused = Patient(second.app.test_client(), patient.token).post("/dependents", MOTHER)
    assert (refused.status_code, refused.get_json(force=True)["code"]) == (500, "internal_error")
    assert len(patient.get("/dependents").json["items"]) == 1


@pytest.mark.parametrize("ring", [str(ring) for ring in Ring])
def test_a_lost_key_is_named(start: Start, key_file: Path, ring: str) -> None:
    assert settle_keys(start().workbench) == []
    add_keys(key_file)
    change_ring(key_file, ring, lambda content: content["keys"].pop("1"))
    status, told = ready(start())
    assert (status, told["keys"]) == (503, "key_missing")
    assert told["key_faults"] == [{"reason": "key_missing", "ring": ring, "key_id": 1}]


def test_a_value_that_does_not_open_is_an_alarm_and_an_id(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    """A stored reply that was put into another row does not open there, whatever it says."""
    clinic = start()
    patients = [clinic.patient(name) for name in ("an", "bo")]
    for patient in patients:
        assert patient.post("/dependents", SELF, key="k" * 16).status_code == 201
    second = aliased(IdempotencyKey)
    other = select(second.reply_sealed).where(second.id != IdempotencyKey.id).scalar_subquery()
    clinic.workbench.transactions.write(
        lambda session, _now: session.execute(
            update(IdempotencyKey).values(reply_sealed=other).execution_options(synchronize_session=False)
        )
    )
    capfd.readouterr()
    reply = patients[0].post("/dependents", SELF, key="k" * 16)
    assert (reply.status_code, reply.get_json(force=True)["code"]) == (500, "internal_error")
    assert set(reply.get_json(force=True)) == {"type", "title", "status", "detail", "code", "instance"}
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    told = next(line for line in lines if line["event"] == "seal_broken")
    assert (told["alarm"], told["reason"], told["key_id"]) == (True, "tag", 1)


def test_an_operator_goes_from_aes_to_sm_while_patients_come(start: Start, key_file: Path, clock: ManualClock) -> None:
    """The whole of docs/operating.md, "Keys"; each start is a process that is started again."""
    key_file.unlink()
    write_keys(key_file, Suite.AES)
    first = start()
    settle_keys(first.workbench)
    mother, father = first.patient("an"), first.patient("bo")
    assert mother.post("/dependents", SELF).status_code == 201

    add_keys(key_file, Suite.SM, standby=True)
    standby = start()
    assert settle_keys(standby.workbench) == []
    assert ready(first)[0] == ready(standby)[0] == 200

    activate_keys(key_file)
    newer = start()
    assert settle_keys(newer.workbench) == []
    assert ready(standby)[0] == ready(newer)[0] == 200
    later = Patient(standby.app.test_client(), father.token)
    assert later.post("/dependents", SELF).status_code == 201
    begun = command(newer, "rotate-keys")
    assert (begun[0]["rotation"], begun[0]["sealing_key"]) == ("under_way", 2)
    assert command(newer, "rotate-keys", "--stop")[0]["rotation"] == "stopped"
    assert command(newer, "rotate-keys")[0]["rotation"] == "under_way"
    runner = make_runner(newer.workbench)
    for _ in range(6):
        clock.advance(timedelta(seconds=31))
        runner.run_due()
    told = command(newer, "rotate-keys", "--status")
    assert (told[0]["rotation"], told[0]["failed"]) == ("finished", 0)
    old = [use for use in told[1:] if use["key_id"] == 1]
    assert [(use["ring"], use["algorithm"], use["values"], use["may_go"]) for use in old] == [
        ("hashing", "hmac-sha256", 0, False), ("sealing", "aes-256-gcm", 0, True),
        ("tickets", "hmac-sha256", None, False),
    ]  # fmt: skip
    clock.advance(timedelta(days=8))
    assert all(use["may_go"] for use in command(newer, "rotate-keys", "--status")[1:] if use["key_id"] == 1)
    for ring in Ring:
        change_ring(key_file, ring, lambda content: content["keys"].pop("1"))
    only_sm = start()
    assert ready(only_sm) == (200, {"status": "ready", "database": "ok", "migrations": "ok", "keys": "ok"})
    again = Patient(only_sm.app.test_client(), mother.token)
    assert again.post("/dependents", MOTHER).status_code == 201
    assert len(again.get("/dependents").json["items"]) == 2


def command(clinic: Clinic, *words: str) -> list[dict[str, Any]]:
    ended = clinic.app.test_cli_runner().invoke(args=list(words))
    assert ended.exit_code == 0, ended.output
    return [json.loads(line) for line in ended.output.splitlines() if line.startswith('{"r')]


def test_the_command_tells_what_it_cannot_do(start: Start, key_file: Path) -> None:
    clinic = start()
    assert command(clinic, "rotate-keys", "--status")[0] == {"rotation": None}
    assert command(clinic, "rotate-keys", "--stop") == [{"rotation": None}]
    both = clinic.app.test_cli_runner().invoke(args=["rotate-keys", "--status", "--stop"])
    assert (both.exit_code, "two things" in both.output) == (2, True)
    settle_keys(clinic.workbench)
    new_key_file(key_file)
    wrong = start().app.test_cli_runner().invoke(args=["rotate-keys"])
    assert (wrong.exit_code, "key_wrong: key 1 of the ring sealing" in wrong.output) == (1, True)


@pytest.mark.parametrize("ring", [str(ring) for ring in Ring])
def test_the_status_says_what_readyz_says_of_a_wrong_key(start: Start, key_file: Path, ring: str) -> None:
    clinic = start()
    settle_keys(clinic.workbench)
    assert [use["fault"] for use in uses_told(clinic, exit_code=0)] == [None] * 3
    right = json.loads(key_file.read_text())
    new_key_file(key_file)
    for other in set(right) - {ring}:
        change_ring(key_file, other, lambda content, was=right[other]: content.update(was))
    wrong = start()
    (fault,) = ready(wrong)[1]["key_faults"]
    told = {use["ring"]: use for use in uses_told(wrong, exit_code=1)}
    assert fault == {"reason": told[ring]["fault"], "ring": ring, "key_id": 1}
    assert {name: (use["fault"], use["is_held"]) for name, use in told.items()} == {
        one: ("key_wrong", False) if one == ring else (None, True) for one in map(str, Ring)
    }


def test_the_status_says_what_readyz_says_of_a_lost_key(start: Start, key_file: Path) -> None:
    settle_keys(start().workbench)
    add_keys(key_file)
    change_ring(key_file, "sealing", lambda content: content["keys"].pop("1"))
    lost = next(use for use in uses_told(start(), exit_code=1) if (use["ring"], use["key_id"]) == ("sealing", 1))
    assert (lost["fault"], lost["is_held"]) == ("key_missing", False)


def uses_told(clinic: Clinic, *, exit_code: int) -> list[dict[str, Any]]:
    """What the status tells of each key."""
    ended = clinic.app.test_cli_runner().invoke(args=["rotate-keys", "--status"])
    assert ended.exit_code == exit_code, ended.output
    return [json.loads(line) for line in ended.output.splitlines() if line.startswith('{"ring"')]


def test_a_worker_waits_for_its_database_and_then_works(
    make_app: Callable[[Config], App], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a database nothing can be said of the keys: it looks again until it is stopped."""
    monkeypatch.setattr("miniapp_api.worker._LOOK_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    app = make_app(Config.from_environ({**environ, "DATABASE_URL": "postgresql://yuezhen:x@127.0.0.1:1/x"}))
    workbench: Workbench = app.extensions[EXTENSION].workbench
    stop = threading.Event()
    monkeypatch.setattr("miniapp_api.worker.threading.Event", lambda: stop)
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    work(workbench)
    timer.join()
