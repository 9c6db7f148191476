"""Strikes and appeals over HTTP, and what the hospital does about them by command."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from click.testing import Result
from sqlalchemy import text
from ward import Ward, add, book, strike
from wire import Phone

from models.hospital import Hospital

SAID = "孩子突发高烧，当天已电话告知窗口"
ANSWER = "经核实当天已来电说明"


def struck(ward: Ward, phone: Phone) -> tuple[dict[str, Any], str]:
    """An appointment that was cancelled, and the id of a strike for it."""
    schedule_id = ward.schedule(terms={"min_identity_level": 0})
    made = book(phone, schedule_id, add(phone), "on_site")
    assert phone.post(f"/appointments/{made.json['id']}/cancellation").status == 200
    return made.json, strike(ward, made.json["id"])


def run(ward: Ward, *args: str) -> Result:
    return ward.app.test_cli_runner().invoke(args=list(args))


def said(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def rows(ward: Ward, table: str) -> int:
    with ward.workbench.transactions.database.read() as session:
        return int(session.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one())


def hospital_code(ward: Ward, appointment: dict[str, Any]) -> str:
    there = UUID(appointment["hospital"]["id"])
    return ward.workbench.transactions.read(lambda session, _now: session.get_one(Hospital, there).code)


def test_from_the_strike_to_the_answer(ward: Ward) -> None:
    an, bo = ward.log_in("an"), ward.log_in("bo")
    appointment, strike_id = struck(ward, an)
    (shown,) = an.get("/strikes")["items"]
    assert (shown["id"], shown["number"], shown["kind"]) == (strike_id, appointment["number"], "no_show")
    assert (shown["hospital"]["id"], shown["may_appeal"]) == (appointment["hospital"]["id"], True)
    assert set(shown["evidence"]) == {"zh", "en"}
    assert (shown["appeal"], shown["lifted_at"], shown["restricts_until"]) == (None, None, None)
    assert bo.get("/strikes")["items"] == []
    path = f"/strikes/{strike_id}/appeal"
    assert bo.post(path, {"text": SAID}).status == 404
    filed = an.post(path, {"text": SAID})
    assert (filed.status, filed.json["appeal"]["status"], SAID in filed.body.decode()) == (201, "open", False)

    (listed,) = said(run(ward, "list-appeals", "--operator", "clerk-1"))
    assert (listed["strike_id"], listed["text"], listed["late"]) == (strike_id, SAID, False)
    (here,) = said(run(ward, "list-appeals", "--operator", "clerk-1", "--hospital", hospital_code(ward, appointment)))
    assert here["strike_id"] == strike_id
    nowhere = run(ward, "list-appeals", "--operator", "clerk-1", "--hospital", "NOPE")
    assert (nowhere.exit_code, nowhere.output) == (1, "not_found\n"), "no list, and not an empty one"
    decide = ("decide-appeal", appointment["number"], "--grant", "--answer", ANSWER, "--operator", "clerk-1")
    assert [said(run(ward, *decide))[0]["decided"] for _ in range(2)] == [True, False]
    other = run(ward, *("--reject" if one == "--grant" else one for one in decide))
    assert (other.exit_code, "not_appealable" in other.output) == (1, True)
    assert run(ward, *decide[:1], "12345", *decide[2:]).exit_code == 1
    assert run(ward, *(one for one in decide if one != "--grant")).exit_code == 2
    (after,) = an.get("/strikes")["items"]
    assert (after["appeal"]["status"], after["appeal"]["answer"]) == ("granted", ANSWER)
    assert (after["lifted_why"], after["may_appeal"]) == ("appeal", False)
    assert said(run(ward, "list-appeals", "--operator", "clerk-1")) == []
    looked = [(one["actor"], one["action"]) for one in an.get("/account/access-log")["items"]]
    assert {("clerk-1", "strike_appeal.read"), ("clerk-1", "strike_appeal.decide")} <= set(looked)


def test_l_05_and_l_06_it_is_told_in_an_export_and_erased_with_the_account(ward: Ward) -> None:
    phone = ward.log_in("an")
    _, strike_id = struck(ward, phone)
    phone.post(f"/strikes/{strike_id}/appeal", {"text": SAID})
    (told,) = phone.get("/account/export")["strike_appeals"]
    assert (told["text"], told["answer"], told["status"]) == (SAID, None, "open")
    assert phone.send("DELETE", "/account").status == 200
    (listed,) = said(run(ward, "list-appeals", "--operator", "clerk-1"))
    assert (listed["strike_id"], listed["text"]) == (strike_id, None)
    ward.clock.advance(timedelta(days=9))
    ward.work()
    decide = ("decide-appeal", strike_id, "--reject", "--answer", ANSWER, "--operator", "clerk-1")
    assert said(run(ward, *decide))[0]["decided"] is True
    assert rows(ward, "strike_appeals WHERE answer_sealed IS NOT NULL") == rows(ward, "notices") == 0
    ward.clock.advance(timedelta(days=366 * 31))
    ward.work()
    assert rows(ward, "strike_appeals") == rows(ward, "strikes") == 0
