"""Cards of hospitals (就诊卡, rules.md 1.5.3): several of a hospital, one current, brought to a visit, and removed."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from harness import race
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import resident_id, rotated
from sqlalchemy import select
from ward import Ward, add, add_card
from wire import Phone, Reply, new_key

from core.dependents.cards import NewCard
from core.dependents.cards import add_card as keep_card
from core.refusals import HospitalCardExists
from models.hospital_card import HospitalCard
from models.person import Dependent
from models.schedule import Schedule

ANYBODY = {"min_identity_level": 0}
FIRST, SECOND = "0012345678", "0087654321"


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def cards(phone: Phone, dependent_id: str) -> list[dict[str, Any]]:
    return list(phone.get(f"/dependents/{dependent_id}/hospital-cards")["items"])


def current(phone: Phone, dependent_id: str) -> list[str]:
    return [card["id"] for card in cards(phone, dependent_id) if card["is_current"]]


def choose(phone: Phone, dependent_id: str, card_id: str) -> Reply:
    return phone.send("PUT", f"/dependents/{dependent_id}/hospital-cards/{card_id}/current")


def remove(phone: Phone, dependent_id: str, card_id: str) -> Reply:
    return phone.send("DELETE", f"/dependents/{dependent_id}/hospital-cards/{card_id}")


def stored(ward: Ward) -> list[HospitalCard]:
    query = select(HospitalCard).order_by(HospitalCard.id)
    return ward.workbench.transactions.read(lambda session, _now: list(session.scalars(query)))


def hospital_of(ward: Ward, schedule_id: str) -> str:
    return ward.workbench.transactions.read(
        lambda session, _now: str(session.get_one(Schedule, UUID(schedule_id)).hospital_id)
    )


# --- kept and shown


def test_1_5_3_a_card_is_kept_sealed_and_shown_masked_wherever_the_dependent_is(ward: Ward, an: Phone) -> None:
    dependent_id, hospital_id = add(an), ward.hospital()
    made = an.post(f"/dependents/{dependent_id}/hospital-cards", {"hospital_id": hospital_id, "number": " 00 12345678"})
    assert made.status == 201
    assert {**made.json, "created_at": None} == {
        "id": made.json["id"],
        "hospital": {"id": hospital_id, "name": "测试医院"},
        "number_masked": "00*****678",
        "is_current": True,
        "created_at": None,
    }
    for shown in (
        cards(an, dependent_id),
        an.get(f"/dependents/{dependent_id}")["hospital_cards"],
        an.get("/dependents")["items"][0]["hospital_cards"],
    ):
        assert shown == [made.json]
    (card,) = stored(ward)
    assert FIRST.encode() not in card.number_sealed
    assert ward.workbench.vault.open_text("hospital_cards.number", card.id, card.number_sealed) == FIRST


def test_1_5_3_several_of_a_hospital_one_current_and_each_hospital_for_itself(ward: Ward, an: Phone) -> None:
    dependent_id, here, there = add(an), ward.hospital(), ward.hospital()
    first = add_card(an, dependent_id, here, FIRST)
    second = add_card(an, dependent_id, here, SECOND)
    other = add_card(an, dependent_id, there, FIRST)
    assert current(an, dependent_id) == [second, other]
    for _ in range(2):
        reply = choose(an, dependent_id, first)
        assert (reply.status, reply.json["id"], reply.json["is_current"]) == (200, first, True)
        assert current(an, dependent_id) == [first, other]
    old = an.post(
        f"/dependents/{dependent_id}/hospital-cards", {"hospital_id": here, "number": "OLD-1234", "is_current": False}
    )
    assert (old.status, old.json["is_current"]) == (201, False)


def test_the_first_card_of_a_hospital_is_current_whatever_was_said(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    said = {"hospital_id": ward.hospital(), "number": FIRST, "is_current": False}
    assert an.post(f"/dependents/{dependent_id}/hospital-cards", said).json["is_current"] is True


def test_a_card_is_kept_once_however_it_is_written(ward: Ward, an: Phone) -> None:
    dependent_id, hospital_id = add(an), ward.hospital()
    card_id = add_card(an, dependent_id, hospital_id, "m-0012345")
    path = f"/dependents/{dependent_id}/hospital-cards"
    again = an.post(path, {"hospital_id": hospital_id, "number": " M-００12345"})
    assert (again.status, again.json["code"], again.json["facts"]) == (
        409, "hospital_card_exists", {"card_id": card_id},
    )  # fmt: skip
    key, said = new_key(), {"hospital_id": hospital_id, "number": SECOND}
    assert an.post(path, said, key=key).body == an.post(path, said, key=key).body
    assert len(stored(ward)) == 2


def test_a_card_kept_under_an_older_key_is_known(ward: Ward, an: Phone) -> None:
    dependent_id, hospital_id = add(an), ward.hospital()
    card_id = add_card(an, dependent_id, hospital_id, FIRST)
    account_id = ward.workbench.transactions.read(
        lambda session, _now: session.get_one(Dependent, UUID(dependent_id)).account_id
    )

    def again(session: Any, now: Any) -> None:
        keep_card(
            session,
            account_id=account_id,
            dependent_id=UUID(dependent_id),
            wanted=NewCard(UUID(hospital_id), FIRST),
            vault=rotated(ward.workbench.vault),
            now=now,
        )

    with pytest.raises(HospitalCardExists) as refused:
        ward.workbench.transactions.write(again)
    assert refused.value.facts == {"card_id": card_id}


@pytest.mark.parametrize(
    ("said", "place", "code"),
    [
        ({"number": "123"}, "#/number", "bad_length"),
        ({"number": "12;34"}, "#/number", "bad_charset"),
        ({"number": "\u3000"}, "#/number", "empty"),
        ({"hospital_id": "njglyy"}, "#/hospital_id", "not_an_id"),
        ({"is_current": 1}, "#/is_current", "not_a_boolean"),
    ],
)
def test_what_is_no_card_is_refused(ward: Ward, an: Phone, said: dict[str, Any], place: str, code: str) -> None:
    path = f"/dependents/{add(an)}/hospital-cards"
    answer = an.post(path, {"hospital_id": ward.hospital(), "number": FIRST} | said)
    assert (answer.status, [(one["pointer"], one["code"]) for one in answer.json["errors"]]) == (422, [(place, code)])
    assert an.post(path, {"hospital_id": str(uuid4()), "number": FIRST}).status == 404


def test_added_and_chosen_at_once_one_is_current(ward: Ward, an: Phone) -> None:
    dependent_id, hospital_id = add(an), ward.hospital()
    path, first = f"/dependents/{dependent_id}/hospital-cards", add_card(an, dependent_id, hospital_id, FIRST)

    def adding(number: str) -> Any:
        return lambda: an.post(path, {"hospital_id": hospital_id, "number": number}).status

    def choosing() -> int:
        return choose(an, dependent_id, first).status

    done = race(*(adding(f"10{nth:03}") for nth in range(3)), choosing, adding(SECOND), adding(SECOND))
    assert set(done) <= {200, 201, 409, 503}
    assert len(current(an, dependent_id)) == 1
    masks = [card["number_masked"] for card in cards(an, dependent_id)]
    assert masks.count("00*****321") <= 1


# --- brought to a visit


def test_a_card_is_brought_to_a_visit_at_its_own_hospital(ward: Ward, an: Phone) -> None:
    dependent_id, schedule_id = add(an), ward.schedule(terms=ANYBODY)
    other = add(an, relationship="other", id_number=resident_id(order=941))
    wish = {"schedule_id": schedule_id, "dependent_id": dependent_id, "pay": "on_site"}
    of_another_hospital = add_card(an, dependent_id, ward.hospital())
    of_another_patient = add_card(an, other, hospital_of(ward, schedule_id))
    for card_id in (of_another_hospital, of_another_patient):
        refused = an.post("/appointments", wish | {"visit_card_id": card_id})
        assert refused.status == 422
        (fault,) = refused.json["errors"]
        assert (fault["pointer"], fault["code"]) == ("#/visit_card_id", "not_for_this_visit")
    bo = ward.log_in("bo")
    for card_id in (add_card(bo, add(bo), hospital_of(ward, schedule_id)), str(uuid4())):
        assert an.post("/appointments", wish | {"visit_card_id": card_id}).status == 404
    card_id = add_card(an, dependent_id, hospital_of(ward, schedule_id))
    booked = an.post("/appointments", wish | {"visit_card_id": card_id})
    assert booked.status == 201
    for shown in (booked.json, an.get(f"/appointments/{booked.json['id']}"), an.get("/appointments")["items"][0]):
        assert shown["visit_card"] == {"id": card_id, "number_masked": "00*****678"}


def test_without_a_card_nothing_is_named(ward: Ward, an: Phone) -> None:
    dependent_id, schedule_id = add(an), ward.schedule(terms=ANYBODY)
    add_card(an, dependent_id, hospital_of(ward, schedule_id))
    booked = an.post("/appointments", {"schedule_id": schedule_id, "dependent_id": dependent_id, "pay": "on_site"})
    assert booked.json["visit_card"] is None


def test_a_removed_card_is_erased_and_named_by_no_appointment(ward: Ward, an: Phone) -> None:
    dependent_id, schedule_id = add(an), ward.schedule(terms=ANYBODY)
    kept = [add_card(an, dependent_id, hospital_of(ward, schedule_id), number) for number in (FIRST, "5555", SECOND)]
    wish = {"schedule_id": schedule_id, "dependent_id": dependent_id, "pay": "on_site"}
    booked = an.post("/appointments", wish | {"visit_card_id": kept[2]}).json["id"]
    assert remove(an, dependent_id, kept[2]).status == 204
    assert current(an, dependent_id) == [kept[1]]
    assert an.get(f"/appointments/{booked}")["visit_card"] is None
    assert remove(an, dependent_id, kept[2]).status == 404
    assert remove(an, dependent_id, kept[0]).status == 204
    assert current(an, dependent_id) == [kept[1]]
    assert remove(an, dependent_id, kept[1]).status == 204
    assert (cards(an, dependent_id), stored(ward)) == ([], [])
    assert add_card(an, dependent_id, hospital_of(ward, schedule_id), FIRST) not in kept


# --- whose they are


def test_another_accounts_cards_are_not_there(ward: Ward, an: Phone) -> None:
    bo, hospital_id = ward.log_in("bo"), ward.hospital()
    theirs, mine = add(bo), add(an)
    card_id = add_card(bo, theirs, hospital_id)
    for whose in (theirs, mine):
        assert choose(an, whose, card_id).status == 404
        assert remove(an, whose, card_id).status == 404
    assert an.send("GET", f"/dependents/{theirs}/hospital-cards").status == 404
    said = {"hospital_id": hospital_id, "number": SECOND}
    assert an.post(f"/dependents/{theirs}/hospital-cards", said).status == 404
    assert [card["id"] for card in cards(bo, theirs)] == [card_id]
    # The same card for both, and neither learns of the other's.
    assert add_card(an, mine, hospital_id) != card_id


def test_l_05_and_l_06_a_card_is_told_in_an_export_and_erased_with_its_dependent(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    add_card(an, dependent_id, ward.hospital())
    (told,) = an.get("/account/export")["hospital_cards"]
    assert (told["dependent_id"], told["number"], told["is_current"]) == (dependent_id, FIRST, True)
    assert an.send("DELETE", f"/dependents/{dependent_id}").status == 204
    assert stored(ward) == []
    add_card(an, add(an), ward.hospital())
    assert an.send("DELETE", "/account").status == 200
    assert stored(ward) == []


# --- one current, whatever is done

steps = st.lists(
    st.tuples(st.sampled_from(["add", "add beside", "choose", "remove"]), st.integers(0, 5), st.booleans()), max_size=12
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_1_5_3_exactly_one_of_each_hospital_with_cards_is_current_whatever_is_done(
    ward: Ward, steps: list[tuple[str, int, bool]]
) -> None:
    phone = ward.log_in(f"somebody-{uuid4()}")
    dependent_id, hospitals = add(phone), (ward.hospital(), ward.hospital())
    path = f"/dependents/{dependent_id}/hospital-cards"
    for act, nth, first in steps:
        there = cards(phone, dependent_id)
        if act.startswith("add"):
            said = {"hospital_id": hospitals[first], "number": f"{nth:04}", "is_current": act == "add"}
            assert phone.post(path, said).status in {201, 409}
        elif there:
            card_id = there[nth % len(there)]["id"]
            done = choose(phone, dependent_id, card_id) if act == "choose" else remove(phone, dependent_id, card_id)
            assert done.status in {200, 204}
        left = cards(phone, dependent_id)
        for hospital in {card["hospital"]["id"] for card in left}:
            assert len([card for card in left if card["hospital"]["id"] == hospital and card["is_current"]]) == 1
