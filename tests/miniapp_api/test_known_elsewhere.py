"""N-4, A-39: nobody learns from an answer, or from the work behind it, what other accounts hold of a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeSms
from people_http import SELF
from sqlalchemy import event
from ward import Ward, add, agree, book, open_ward
from wire import Phone, Reply

from models.database import Database

KNOWN, UNKNOWN = SELF["id_number"], "330102199001019957"
"""Two men born on one day, in one place."""
FRIEND = SELF | {"relationship": "other"}
ANYBODY = {"min_identity_level": 0}


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


@pytest.fixture
def booked(ward: Ward) -> str:
    """The half day on which the known one has a number."""
    return ward.schedule(terms=ANYBODY)


@pytest.fixture(autouse=True)
def elsewhere(ward: Ward, booked: str) -> Phone:
    """Another account, where the known one is proven by face and desk, has a booking, a phone and a consent."""
    phone = ward.log_in("elsewhere")
    dependent_id = add(phone, address="中山路321号", region_code="320106")
    agree(phone, "face", dependent_id)
    done = ward.app.test_cli_runner().invoke(
        args=["verify-on-site", dependent_id, "--operator", "desk", "--document-seen"]
    )
    assert done.exit_code == 0
    assert book(phone, booked, dependent_id, "on_site").status == 201
    assert (
        phone.send("PUT", "/account/phone", {"provider": "wechat_miniapp", "code": "phone-13800000000"}).status == 200
    )
    return phone


def told(reply: Reply, number: str, *ids: str) -> str:
    """The answer without what is the asker's own: ids, the last digits of what was typed, the request's number."""
    body = {name: value for name, value in (reply.json or {}).items() if name != "instance"}
    text = json.dumps({"status": reply.status, "body": body}, sort_keys=True)
    for nth, mine in enumerate((*ids, (reply.json or {}).get("id", "no id"))):
        text = text.replace(mine, f"id {nth}")
    return text.replace(number[-4:], "last")


def both(ward: Ward) -> Iterator[tuple[Phone, str, str]]:
    """Two accounts alike, who add the known and the unknown man: phone, his number, his id there."""
    for number in (KNOWN, UNKNOWN):
        phone = ward.log_in(f"who adds {number}")
        yield phone, number, add(phone, **FRIEND | {"id_number": number})


def test_n_4_adding_tells_nothing(ward: Ward) -> None:
    answers = []
    for number in (KNOWN, UNKNOWN):
        phone = ward.log_in(f"who adds {number}")
        added = phone.post("/dependents", FRIEND | {"id_number": number})
        assert (added.status, added.json["identity"]["level"]) == (201, 0)
        answers.append(told(added, number))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("relationship", ["self", "other"])
def test_n_4_being_refused_tells_nothing(ward: Ward, relationship: str) -> None:
    """Every refusal of an account speaks of that account alone: twice the same, a fault in the form, one too many."""
    answers: list[list[str]] = []
    for number in (KNOWN, UNKNOWN):
        phone, said = ward.log_in(f"who adds {number}"), []
        wanted = FRIEND | {"id_number": number, "relationship": relationship}
        first = add(phone, **wanted)
        said.append(told(phone.post("/dependents", wanted), number, first))
        said.append(told(phone.post("/dependents", wanted | {"phone": "1"}), number, first))
        said.append(told(phone.post("/dependents", wanted | {"name": ""}), number, first))
        answers.append(said)
    assert answers[0] == answers[1]
    assert '"status": 409' in answers[0][0]


def test_n_4_looking_changing_and_checking_tell_nothing(ward: Ward, booked: str) -> None:
    answers: list[list[str]] = []
    for phone, number, dependent_id in both(ward):
        agree(phone, "face", dependent_id)
        path = f"/dependents/{dependent_id}"
        replies = [
            phone.send("GET", path),
            phone.send("GET", "/dependents"),
            phone.send("PATCH", path, {"phone": "13800000000", "address": "中山路321号", "region_code": "320106"}),
            phone.send("PUT", f"{path}/default"),
            phone.post(f"{path}/identity-checks", {"method": "on_site"}),
            phone.post(f"{path}/identity-checks", {"method": "name_match"}),
            phone.send("GET", "/account/joins"),
            phone.send("GET", "/account/access-log"),
            phone.send("GET", f"/schedules/{ward.schedule(terms=ANYBODY)}/eligibility?dependent_id={dependent_id}"),
            phone.send("GET", f"/schedules/{booked}/eligibility?dependent_id={dependent_id}"),
            book(phone, booked, dependent_id, "on_site"),
            phone.send("DELETE", path),
            phone.send("GET", path),
        ]
        answers.append([told(one, number, dependent_id) for one in replies])
    for known, unknown in zip(*answers, strict=True):
        assert known == unknown


def test_n_4_a_proof_elsewhere_is_no_proof_here(ward: Ward, elsewhere: Phone) -> None:
    (theirs,) = elsewhere.get("/dependents")["items"]
    assert theirs["identity"]["level"] == 2
    for phone, _, dependent_id in both(ward):
        mine = phone.get(f"/dependents/{dependent_id}")["identity"]
        assert (mine["status"], mine["level"], "checked_at" in mine) == ("unverified", 0, False)


def test_n_4_a_code_to_a_phone_known_elsewhere_takes_the_same_work(ward: Ward) -> None:
    """13800000000 is proven by another account and is a dependent's there."""
    (sms,) = ward.adapters.sms
    assert isinstance(sms, FakeSms)
    phone, done = ward.log_in("asker"), list[tuple[str, int]]()
    phone.send("POST", "/account/phone/otp", {"phone": "13800000002"})  # the asker's own rows are there from now on
    works, answers = [], []
    event.listen(
        ward.workbench.transactions.database.engine,
        "after_cursor_execute",
        lambda _c, cursor, text, *_: done.append((text, cursor.rowcount if text.startswith("UPDATE") else 0)),
    )
    for number in ("13800000000", "13800000001"):
        done.clear()
        reply = phone.send("POST", "/account/phone/otp", {"phone": number})
        answers.append((reply.status, reply.json))
        works.append(list(done))
    assert answers[0] == answers[1]
    assert answers[0][0] == 202
    assert works[0] == works[1]


def test_n_4_a_join_is_offered_to_nobody_who_has_not_proven_the_phone(ward: Ward) -> None:
    """Not for having the person, nor for typing the phone of a dependent there."""
    for phone, _, dependent_id in both(ward):
        assert phone.send("PATCH", f"/dependents/{dependent_id}", {"phone": "13800000000"}).status == 200
        assert phone.get("/account/joins") == {"items": [], "next_cursor": None}
