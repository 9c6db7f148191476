"""1.3: the desk says that two documents are one human being's, and every limit counts them as one from then on."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import Result
from people import resident_id
from people_http import SELF
from sqlalchemy import select
from ward import Ward, add, book
from wire import Phone

from core.transactions import Changed
from models.audit import AuditEntry
from models.person import Dependent

ANYBODY = {"min_identity_level": 0}
PASSPORT = {
    "name": "CHAN TAI MAN", "id_type": "passport", "id_number": "K01234567", "country": "GBR",
    "id_expires_on": "2031-05-31", "birth_date": "1950-01-01", "sex": "female", "relationship": "other",
}  # fmt: skip
PERMIT = {
    "name": "陈大文", "id_type": "hk_macao_permit", "id_number": "H1234567801", "birth_date": "1950-01-01",
    "sex": "female", "relationship": "other",
}  # fmt: skip


def run(ward: Ward, *args: str) -> Result:
    return ward.app.test_cli_runner().invoke(args=["merge-records", *args, "--operator", "clerk-1", "--documents-seen"])


def said(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout.splitlines()[-1]))


@pytest.fixture
def two(ward: Ward) -> tuple[tuple[Phone, str], tuple[Phone, str]]:
    an, bo = ward.log_in("an"), ward.log_in("bo")
    return (an, add(an, **PASSPORT)), (bo, add(bo, **PERMIT))


def test_one_human_under_two_documents_is_counted_as_one(
    ward: Ward, two: tuple[tuple[Phone, str], tuple[Phone, str]]
) -> None:
    (an, first), (bo, second) = two
    before = [phone.send("GET", f"/dependents/{one}").json for phone, one in two]
    assert [said(run(ward, first, second))["merged"] for _ in range(2)] == [True, False]
    schedule = ward.schedule(terms=ANYBODY)
    assert book(an, schedule, first, "on_site").status == 201
    assert book(bo, schedule, second, "on_site").json["code"] == "person_limit"
    assert [phone.send("GET", f"/dependents/{one}").json for phone, one in two] == before


def test_n_4_neither_account_is_told(ward: Ward, two: tuple[tuple[Phone, str], tuple[Phone, str]]) -> None:
    (an, first), (bo, second) = two
    said(run(ward, first, second))
    for phone in (an, bo):
        assert [one["action"] for one in phone.get("/account/access-log")["items"]] == []
        assert "records.merge" not in str(phone.get("/account/export"))
    with ward.workbench.transactions.database.read() as session:
        kept = session.scalars(select(AuditEntry.actor).where(AuditEntry.action == "records.merge")).all()
    assert kept == ["clerk-1"] * 2
    closed = an.send("DELETE", "/account")
    assert [one["count"] for one in closed.json["items"] if one["kind"] == "accesses"] == [1]  # of the export


def test_whoever_has_two_numbers_of_one_kind_is_two(ward: Ward) -> None:
    an, bo = ward.log_in("an"), ward.log_in("bo")
    first, second = add(an, id_number=resident_id(order=101)), add(bo, id_number=resident_id(order=103))
    assert said(run(ward, first, second))["merged"] is False
    schedule = ward.schedule(terms=ANYBODY)
    assert [book(phone, schedule, one, "on_site").status for phone, one in ((an, first), (bo, second))] == [201, 201]


def test_nobody_is_merged_unseen_or_once_removed(ward: Ward, two: tuple[tuple[Phone, str], tuple[Phone, str]]) -> None:
    (an, first), (_, second) = two
    unseen = ward.app.test_cli_runner().invoke(args=["merge-records", first, second, "--operator", "clerk-1"])
    assert unseen.exit_code == 2
    assert run(ward, first, str(uuid4())).exit_code == 1
    assert an.send("DELETE", f"/dependents/{first}").status == 204
    assert run(ward, first, second).exit_code == 1


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"birth_date": "1950-01-02"}, "other_id: contradicts_birth_date"),
        ({"sex": "male"}, "other_id: contradicts_sex"),
        ({"birth_date": "1951-01-01", "sex": "male"}, "other_id: contradicts_birth_date, other_id: contradicts_sex"),
    ],
)
def test_whoever_is_of_another_day_or_sex_is_another(ward: Ward, other: dict[str, str], told: str) -> None:
    """Whichever slip of the desk names two strangers would hold the limits of one against the other."""
    an, bo = ward.log_in("an"), ward.log_in("bo")
    first, second = add(an, **PASSPORT), add(bo, **PERMIT | other)
    refused = run(ward, first, second)
    assert (refused.exit_code, refused.output.strip()) == (1, told)
    schedule = ward.schedule(terms=ANYBODY)
    assert [book(phone, schedule, one, "on_site").status for phone, one in ((an, first), (bo, second))] == [201, 201]


def test_it_is_written_down_whose_record_became_the_others(
    ward: Ward, two: tuple[tuple[Phone, str], tuple[Phone, str]]
) -> None:
    (_, first), (_, second) = two
    said(run(ward, first, second))
    with ward.workbench.transactions.database.read() as session:
        persons = [str(session.get_one(Dependent, UUID(one)).person_id) for one in (first, second)]
        kept = session.scalars(select(AuditEntry.facts).where(AuditEntry.action == "records.merge")).all()
    assert [(one["earlier"], one["later"]) for one in kept if one is not None] == [tuple(persons)] * 2


def test_somebody_else_who_merges_at_the_same_time_is_told_as_such(
    ward: Ward, two: tuple[tuple[Phone, str], tuple[Phone, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> bool:
        raise Changed()

    monkeypatch.setattr("core.dependents.merge_at_desk.merge_persons", busy)
    (_, first), (_, second) = two
    refused = run(ward, first, second)
    assert (refused.exit_code, refused.output.strip()) == (
        1, "the database is busy or away (overloaded): run the command again",
    )  # fmt: skip


def test_strikes_of_both_count_together(ward: Ward) -> None:
    an = ward.log_in("an")
    mine = an.post("/dependents", SELF).json["id"]
    passport = add(an, **PASSPORT | {"birth_date": "1990-01-01", "sex": "male"})
    said(run(ward, mine, passport))
    assert ward.app.test_cli_runner().invoke(args=["invariants"]).exit_code == 0
