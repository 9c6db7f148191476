"""1.2.6: a newborn is added without a number, and the number comes later."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from people import resident_id
from sqlalchemy import event, select
from ward import Ward, add, agree, book
from wire import Phone, Reply

from core.clock import hospital_day
from models.person import PersonIdentifier

ANYBODY = {"min_identity_level": 0}


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def today(ward: Ward) -> date:
    return hospital_day(ward.clock.now())


def number(ward: Ward, *, order: int = 902, **days: int) -> str:
    return resident_id(birth=today(ward) - timedelta(**days), order=order)


def newborn(ward: Ward, phone: Phone, *, document: str = "guardian_bound", **more: Any) -> dict[str, Any]:
    wanted = {
        "name": "测试甲之女", "id_type": document, "birth_date": str(today(ward)), "sex": "female",
        "phone": "13800000000", "relationship": "daughter",
    } | more  # fmt: skip
    reply = phone.post("/dependents", wanted)
    assert reply.status == 201, reply
    return dict(reply.json)


def give(phone: Phone, dependent_id: str, id_number: str, **more: Any) -> Reply:
    given = {"id_type": "resident_id", "id_number": id_number, "name": "测试丁"} | more
    return phone.send("PUT", f"/dependents/{dependent_id}/document", given)


def errors(reply: Reply) -> list[tuple[str, str]]:
    assert reply.status == 422, reply
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def test_1_2_6_the_number_is_asked_for_within_sixty_days(ward: Ward, an: Phone) -> None:
    added = newborn(ward, an)
    assert added["complete_by"] == str(today(ward) + timedelta(days=60))
    assert "complete_by" not in an.send("GET", f"/dependents/{add(an)}").json
    ward.clock.advance(timedelta(days=70))
    given = give(ward.log_in("an"), added["id"], number(ward, days=70))
    assert given.status == 200
    assert "complete_by" not in given.json


def test_1_5_4_the_number_that_comes_is_the_one_that_is_insured(ward: Ward, an: Phone) -> None:
    added = newborn(ward, an, insurance_number=number(ward, order=904))["id"]
    assert errors(give(an, added, number(ward))) == [("#/id_number", "contradicts_insurance_number")]
    assert give(an, added, number(ward, order=904)).status == 200


def test_1_2_6_name_and_number_take_the_place_of_none(ward: Ward, an: Phone) -> None:
    added = newborn(ward, an)
    given = give(an, added["id"], number(ward))
    assert given.status == 200
    changed = {"name_masked", "id_type", "id_number_masked", "complete_by", "identity"}
    stays = {name: value for name, value in added.items() if name not in changed}
    assert {name: value for name, value in given.json.items() if name not in changed} == stays
    told = given.json["identity"]
    assert (told["status"], told["level"]) == (added["identity"]["status"], added["identity"]["level"])
    assert (given.json["id_type"], given.json["id_number_masked"][-4:]) == ("resident_id", number(ward)[-4:])


def test_1_2_6_saying_it_again_changes_nothing_and_another_number_is_refused(ward: Ward, an: Phone) -> None:
    added = newborn(ward, an)
    first = give(an, added["id"], number(ward))
    assert give(an, added["id"], number(ward)).body == first.body
    assert errors(give(an, added["id"], number(ward, order=904))) == [("#/id_number", "not_changeable")]


@pytest.mark.parametrize(
    ("wrong", "faults"),
    [
        ({"days": 1}, [("#/id_number", "contradicts_birth_date")]),
        ({"order": 903}, [("#/id_number", "contradicts_sex")]),
        ({"days": 1, "order": 903}, [("#/id_number", "contradicts_birth_date"), ("#/id_number", "contradicts_sex")]),
    ],
)
def test_1_2_6_birth_and_sex_must_agree(
    ward: Ward, an: Phone, wrong: dict[str, int], faults: list[tuple[str, str]]
) -> None:
    added = newborn(ward, an)
    assert errors(give(an, added["id"], number(ward, **wrong))) == faults


def test_1_2_6_a_real_name_is_asked_for(ward: Ward, an: Phone) -> None:
    added = newborn(ward, an)
    path, given = f"/dependents/{added['id']}/document", {"id_type": "resident_id", "id_number": number(ward)}
    assert errors(an.send("PUT", path, given)) == [("#/name", "missing")]
    assert errors(an.send("PUT", path, given | {"id_type": "guardian_bound"}))[0] == ("#/name", "missing")
    certificate = {"id_type": "birth_certificate", "id_number": "A123456789"}
    assert an.send("PUT", path, certificate).status == 200
    assert errors(an.send("PUT", path, given)) == [("#/name", "missing")]
    assert an.send("PUT", path, given | {"name": "测试丁"}).status == 200


def test_1_2_6_nobody_learns_whether_the_number_was_known(ward: Ward, an: Phone) -> None:
    """The same body, and the same work: no statement more or less."""
    bo = ward.log_in("bo")
    newborn(ward, bo, document="resident_id", id_number=number(ward, order=904), name="测试戊")
    said: list[dict[str, Any]] = []
    work: list[list[str]] = []
    for order in (902, 904):
        phone = ward.log_in(f"mother-{order}")
        added = newborn(ward, phone)
        with counted(ward) as statements:
            reply = give(phone, added["id"], number(ward, order=order))
        assert reply.status == 200
        hidden = ("id", "id_number_masked")
        said.append({name: value for name, value in reply.json.items() if name not in hidden})
        work.append(statements)
    assert said[0] == said[1]
    assert work[0] == work[1]


class counted:
    """The statements that were run meanwhile, without their values."""

    def __init__(self, ward: Ward) -> None:
        self.engine = ward.workbench.transactions.database.engine
        self.statements: list[str] = []

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        self.statements.append(statement)

    def __enter__(self) -> list[str]:
        event.listen(self.engine, "before_cursor_execute", self._note)
        return self.statements

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "before_cursor_execute", self._note)


def test_1_2_6_what_was_booked_without_a_number_counts_for_the_number(ward: Ward, an: Phone) -> None:
    guardian, schedule = add(an), ward.schedule(terms=ANYBODY)
    child = newborn(ward, an, guardian_dependent_id=guardian)["id"]
    agree(an, "minor", child)
    assert book(an, schedule, child, "on_site").status == 201
    bo = ward.log_in("bo")
    theirs = newborn(
        ward, bo, document="resident_id", id_number=number(ward), name="测试丁", guardian_dependent_id=add(bo)
    )["id"]
    agree(bo, "minor", theirs)
    assert give(an, child, number(ward)).status == 200
    assert book(bo, schedule, theirs, "on_site").code == "person_limit"
    assert book(an, schedule, child, "on_site").code == "already_booked"


def test_1_2_6_a_birth_certificate_stays_known_until_the_dependent_is_erased(ward: Ward, an: Phone) -> None:
    child = newborn(ward, an, document="birth_certificate", id_number="A123456789")["id"]
    assert give(an, child, number(ward)).status == 200
    (told,) = an.send("GET", "/account/export").json["dependents"]
    assert (told["id_number"], told["earlier_id_number"]) == (number(ward), "A123456789")
    assert an.send("DELETE", f"/dependents/{child}").status == 204
    with ward.workbench.transactions.database.read() as session:
        sealed = session.scalars(select(PersonIdentifier.number_sealed)).all()
    assert [bytes(one) for one in sealed] == [b"", b""]


def test_1_2_6_who_has_a_number_keeps_it(ward: Ward, an: Phone) -> None:
    assert errors(give(an, add(an), resident_id(order=999))) == [("#/id_number", "not_changeable")]
