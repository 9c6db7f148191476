"""Names that take four bytes a character, all the way: request, database, reply, platform, log, visit pass (1.4.3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from people_http import SELF
from ward import Ward, add, agree, book, open_ward

from core.booking.day.visit_pass import read_visit_pass
from miniapp_api import logs
from models.appointment import Appointment
from models.database import Database
from models.person import Dependent

RARE = "𠮷𬭚测"  # U+20BB7 and U+2CB5A lie outside the first plane
LONG = "𠮷" * 50


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


def kept_name(ward: Ward, name_masked: str) -> str:
    found = ward.workbench.transactions.read(
        lambda session, _: next(one for one in session.query(Dependent) if one.name_masked == name_masked)
    )
    return found.name(ward.workbench.vault)


@pytest.mark.parametrize(("name", "mask"), [(RARE, "𠮷**"), ("𠮷测", "𠮷*"), (LONG, "𠮷**")])
def test_1_4_3_a_rare_name_is_kept_whole_and_masked_whole(ward: Ward, name: str, mask: str) -> None:
    phone = ward.log_in("an")
    reply = phone.post("/dependents", SELF | {"name": name})
    assert (reply.status, reply.json["name_masked"]) == (201, mask)
    assert phone.get("/dependents")["items"] == [reply.json]
    assert kept_name(ward, mask) == name


def test_1_4_3_escaped_or_plain_it_is_the_same_name(ward: Ward) -> None:
    """JSON may write U+20BB7 as two escapes; half of them is no character and is refused."""
    client, token = ward.app.test_client(), ward.log_in("an").token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": "k" * 16}
    whole = json.dumps(SELF | {"name": RARE})
    assert "\\ud842\\udfb7" in whole
    half = whole.replace("\\udfb7", "")
    refused = client.post("/api/v1/dependents", data=half, headers=headers)
    assert refused.status_code in (400, 422)
    assert client.post("/api/v1/dependents", data=whole, headers=headers).status_code == 201
    assert kept_name(ward, "𠮷**") == RARE


def test_1_4_3_the_platform_hears_the_whole_name(ward: Ward) -> None:
    phone = ward.log_in("an")
    dependent_id = add(phone, name=RARE)
    agree(phone, "face", dependent_id)
    assert phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": "wechat_face"}).status == 201
    assert [subject.name for _, subject in ward.verifier.started] == [RARE]


def test_1_4_3_a_visit_pass_is_booked_shown_and_read(ward: Ward) -> None:
    phone = ward.log_in("an")
    schedule_id = ward.schedule(terms={"min_identity_level": 0}, fee_fen=0)
    booked = book(phone, schedule_id, add(phone, name=RARE), pay="on_site")
    assert (booked.status, booked.json["dependent"]["name_masked"]) == (201, "𠮷**")
    shown = phone.get(f"/appointments/{booked.json['id']}/visit-pass")
    assert shown["qr_svg"].startswith("<?xml")
    assert RARE[0] not in shown["code"] + shown["qr_svg"]

    found = ward.workbench.transactions.read(
        lambda session, now: read_visit_pass(session, ward.workbench.tickets, shown["code"], now=now)
    )
    assert isinstance(found, Appointment)
    assert str(found.id) == booked.json["id"]


def test_1_4_3_a_log_line_with_such_a_character_is_one_line_of_json(capfd: pytest.CaptureFixture[str]) -> None:
    """Names never reach the log; where another text has such a character, it is kept."""
    logs.configure("INFO")
    structlog.get_logger("rare").info("event", place=f"{RARE[0]}路", name=RARE, id_number="军字第1234567号")
    (line,) = capfd.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["place"], told["name"], told["id_number"]) == (f"{RARE[0]}路", logs.MASK, logs.MASK)


def test_1_4_3_the_name_stands_in_no_log_line(ward: Ward, capfd: pytest.CaptureFixture[str]) -> None:
    add(ward.log_in("an"), name=RARE)
    logged = capfd.readouterr().err
    assert "/api/v1/dependents" in logged
    for form in (RARE, json.dumps(RARE).strip('"'), RARE[0], "\\ud842\\udfb7"):
        assert form not in logged


def test_1_4_4_a_passport_has_latin_letters(ward: Ward) -> None:
    phone = ward.log_in("an")
    passport = {
        "id_type": "passport",
        "id_number": "AB1234567",
        "country": "RUS",
        "id_expires_on": "2099-01-01",
        "birth_date": "1988-12-25",
        "sex": "female",
    }
    refused = phone.post("/dependents", SELF | passport | {"name": "ТЕСТ ПРИМЕР"})
    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [
        ("#/name", "latin_letters_required")
    ]
    assert phone.post("/dependents", SELF | passport | {"name": "ＴＥＳＴ ALPHA"}).json["name_masked"] == "T**"


@pytest.mark.parametrize("name", ["测" * 51, "A" * 101, "测试😀", "测\u202e试"])
def test_1_4_1_what_is_no_name_is_refused(ward: Ward, name: str) -> None:
    refused = ward.log_in("an").post("/dependents", SELF | {"name": name})
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "#/name")
