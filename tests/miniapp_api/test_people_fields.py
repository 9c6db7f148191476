"""L-09: what a patient may add of somebody and need not; each sealed, shown as far as it must be, gone when asked."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from people import resident_id
from people_http import SELF
from sqlalchemy import select, text
from ward import Ward, add, agree, book
from wire import Phone, Reply

from core.identity.consent_texts import current_version
from models import Base
from models.account import Purpose
from models.appointment import Appointment
from models.person import Dependent

ANYBODY = {"min_identity_level": 0}
EMAIL, INSURANCE, HISTORY, COMPLAINT = "Li.An@example.com", "A12345678", "青霉素过敏\n2019 阑尾手术", "头疼三天"


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def change(phone: Phone, dependent_id: str, **said: Any) -> Reply:
    return phone.insist("PATCH", f"/dependents/{dependent_id}", said)


def withdraw(phone: Phone, dependent_id: str) -> None:
    said = {"purpose": "health", "version": current_version(Purpose.HEALTH), "granted": False}
    assert phone.send("POST", "/account/consents", said | {"dependent_id": dependent_id}).status == 201


def told_all(phone: Phone) -> str:
    dependent_id = add(phone, email=EMAIL, insurance_number=INSURANCE, address="中山路321号", region_code="320106")
    agree(phone, "health", dependent_id)
    assert change(phone, dependent_id, allergies_and_history=HISTORY).status == 200
    return dependent_id


def dump(ward: Ward) -> str:
    """Every cell of the database, bytes as they would be read."""
    with ward.workbench.transactions.database.read() as session:
        rows = [row for table in Base.metadata.sorted_tables for row in session.execute(text(f"SELECT * FROM {table}"))]
    cells = [cell for row in rows for cell in row]
    return "\n".join(cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell) for cell in cells)


def sealed_complaints(ward: Ward) -> list[bytes | None]:
    query = select(Appointment.complaint_sealed).order_by(Appointment.id)
    return ward.workbench.transactions.read(lambda session, _now: list(session.scalars(query)))


def row(ward: Ward, dependent_id: str) -> Dependent:
    return ward.workbench.transactions.read(lambda session, _now: session.get_one(Dependent, UUID(dependent_id)))


# --- optional, masked, sealed


def test_l_09_none_of_it_is_required_and_each_says_what_it_is_for(ward: Ward, an: Phone) -> None:
    told = an.get(f"/dependents/{add(an)}")
    optional = ("email_masked", "insurance_number_masked", "has_address", "region_code", "allergies_and_history")
    assert not told.keys() & set(optional)
    document = ward.send("GET", "/openapi.json").json["components"]["schemas"]
    for schema in ("AddDependent", "ChangeDependent"):
        shape = document[schema]
        for name in ("email", "insurance_number", "address", "region_code", "allergies_and_history"):
            assert name not in shape.get("required", [])
            assert shape["properties"][name]["description"].startswith("optional; "), name
            assert any("\u4e00" <= letter <= "\u9fff" for letter in shape["properties"][name]["description"]), name
    for name in ("complaint", "visit_card_id"):
        assert name not in document["BookAppointment"]["required"]
        assert document["BookAppointment"]["properties"][name]["description"].startswith("optional; ")


def test_what_is_shown_is_masked_and_health_stands_only_where_one_is_asked_for(ward: Ward, an: Phone) -> None:
    dependent_id = told_all(an)
    one, (listed,) = an.get(f"/dependents/{dependent_id}"), an.get("/dependents")["items"]
    assert one.pop("allergies_and_history") == HISTORY
    assert one == listed
    shown = (one["email_masked"], one["insurance_number_masked"], one["has_address"], one["region_code"])
    assert shown == ("L***@example.com", "A1*****78", True, "320106")
    whole = dump(ward)
    for secret in (EMAIL, INSURANCE, HISTORY.splitlines()[0], "中山路321号"):
        assert secret not in whole


def test_each_is_changed_and_taken_away_again(an: Phone) -> None:
    dependent_id = told_all(an)
    changed = change(an, dependent_id, email="bo@example.cn", insurance_number=SELF["id_number"]).json
    assert (changed["email_masked"], changed["insurance_number_masked"]) == ("b***@example.cn", "330***********9973")
    nothing = dict.fromkeys(("email", "insurance_number", "address", "region_code", "allergies_and_history"))
    assert change(an, dependent_id, **nothing).status == 200
    left = an.get(f"/dependents/{dependent_id}")
    assert not left.keys() & {"email_masked", "insurance_number_masked", "has_address", "region_code"}
    assert "allergies_and_history" not in left


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"email": "an@example"}, "bad_format"),
        ({"insurance_number": "8" * 28}, "dynamic_code"),
        ({"insurance_number": "330102199001019974"}, "bad_checksum"),
        ({"insurance_number": resident_id(order=993)}, "contradicts_id_number"),
        ({"insurance_number": ""}, "too_short"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(an: Phone, said: dict[str, str], code: str) -> None:
    dependent_id, (name,) = add(an), said
    for answer in (change(an, dependent_id, **said), an.post("/dependents", SELF | {"relationship": "other"} | said)):
        assert answer.status == 422
        assert [(fault["pointer"], fault["code"]) for fault in answer.json["errors"]] == [(f"#/{name}", code)]
        assert not said[name] or said[name] not in str(answer.json)


# --- health: only with its own consent, and no longer


def test_l_02_nothing_of_health_is_taken_before_its_own_consent(ward: Ward, an: Phone) -> None:
    refused = an.post("/dependents", SELF | {"allergies_and_history": HISTORY})
    assert (refused.status, refused.json["code"], refused.json["facts"]["purpose"]) == (
        409, "consent_required", "health",
    )  # fmt: skip
    assert an.get("/dependents")["items"] == []
    dependent_id, other = add(an), add(an, relationship="other", id_number=resident_id(order=931))
    agree(an, "health", other)
    refused = change(an, dependent_id, allergies_and_history=HISTORY)
    assert (refused.status, refused.json["code"]) == (409, "consent_required")
    assert refused.json["facts"] == {
        "purpose": "health", "version": current_version(Purpose.HEALTH), "dependent_id": dependent_id,
    }  # fmt: skip
    wish = {"schedule_id": ward.schedule(terms=ANYBODY), "dependent_id": dependent_id, "pay": "on_site"}
    refused = an.post("/appointments", wish | {"complaint": COMPLAINT})
    assert (refused.status, refused.json["facts"]["purpose"]) == (409, "health")
    # Refusing it leaves the rest usable: the same without a word of health.
    assert an.post("/appointments", wish).status == 201


def test_l_03_withdrawing_erases_at_once_what_was_told(ward: Ward, an: Phone) -> None:
    dependent_id = told_all(an)
    other = add(an, relationship="other", id_number=resident_id(birth=date(1950, 1, 1), order=933))
    agree(an, "health", other)
    assert change(an, other, allergies_and_history="花粉过敏").status == 200
    booked = []
    for who in (dependent_id, other):
        wish = {"schedule_id": ward.schedule(terms=ANYBODY), "dependent_id": who, "pay": "on_site"}
        booked.append(an.post("/appointments", wish | {"complaint": COMPLAINT}).json["id"])
    withdraw(an, dependent_id)
    assert "allergies_and_history" not in an.get(f"/dependents/{dependent_id}")
    assert an.get(f"/appointments/{booked[0]}")["complaint"] is None
    assert row(ward, dependent_id).allergies_and_history_sealed is None
    assert [one is None for one in sealed_complaints(ward)] == [True, False]
    # Another's stays, the appointment stands, and everything else that was told.
    assert an.get(f"/dependents/{other}")["allergies_and_history"] == "花粉过敏"
    assert an.get(f"/appointments/{booked[1]}")["complaint"] == COMPLAINT
    assert an.get(f"/appointments/{booked[0]}")["status"] == "booked"
    assert an.get(f"/dependents/{dependent_id}")["email_masked"] == "L***@example.com"
    agree(an, "health", dependent_id)  # what is erased does not come back with a new yes
    assert "allergies_and_history" not in an.get(f"/dependents/{dependent_id}")


def test_what_one_comes_for_is_shown_to_oneself_alone_and_kept_in_no_reply(ward: Ward, an: Phone) -> None:
    dependent_id = told_all(an)
    wish = {"schedule_id": ward.schedule(terms=ANYBODY), "dependent_id": dependent_id, "pay": "on_site"}
    booked = an.post("/appointments", wish | {"complaint": COMPLAINT})
    appointment_id = booked.json["id"]
    assert an.get(f"/appointments/{appointment_id}")["complaint"] == COMPLAINT
    for told in (booked.json, an.get("/appointments"), an.post(f"/appointments/{appointment_id}/cancellation").json):
        assert COMPLAINT not in str(told)
    assert ward.log_in("bo").send("GET", f"/appointments/{appointment_id}").status == 404
    assert COMPLAINT not in dump(ward)


# --- rights


def test_l_05_the_export_tells_them_in_clear(ward: Ward, an: Phone) -> None:
    dependent_id = told_all(an)
    wish = {"schedule_id": ward.schedule(terms=ANYBODY), "dependent_id": dependent_id, "pay": "on_site"}
    assert an.post("/appointments", wish | {"complaint": COMPLAINT}).status == 201
    told = an.get("/account/export")
    (dependent,), (appointment,) = told["dependents"], told["appointments"]
    assert (dependent["email"], dependent["insurance_number"]) == (EMAIL, INSURANCE)
    assert (dependent["allergies_and_history"], appointment["complaint"]) == (HISTORY, COMPLAINT)


@pytest.mark.parametrize("how", ["dependent removed", "account closed"])
def test_l_06_all_of_it_is_erased_in_the_end(ward: Ward, an: Phone, how: str) -> None:
    dependent_id = told_all(an)
    wish = {"schedule_id": ward.schedule(terms=ANYBODY), "dependent_id": dependent_id, "pay": "on_site"}
    appointment_id = an.post("/appointments", wish | {"complaint": COMPLAINT}).json["id"]
    assert an.post(f"/appointments/{appointment_id}/cancellation").status == 200
    ward.work()
    path = f"/dependents/{dependent_id}" if how == "dependent removed" else "/account"
    assert an.send("DELETE", path).status in {200, 204}
    gone = row(ward, dependent_id)
    assert (gone.email_sealed, gone.address_sealed, gone.region_code) == (None, None, None)
    assert gone.insurance_number_sealed is None
    assert gone.allergies_and_history_sealed is None
    assert sealed_complaints(ward) == [None]
    if how == "dependent removed":
        assert an.get(f"/appointments/{appointment_id}")["complaint"] is None


def test_book_without_saying_anything_needs_no_more_consent(ward: Ward, an: Phone) -> None:
    assert book(an, ward.schedule(terms=ANYBODY), add(an), "on_site").status == 201
