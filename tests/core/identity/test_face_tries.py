"""F-13: three tries of a face a day. An outage of the platform costs none, and removing and adding anew gives none."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from factories import make_dependent
from fakes import ManualClock
from people import CAUSE, Desk, agree
from sqlalchemy.orm import Session

from core.dependents.remove import remove_dependent
from core.identity.checks import ask_start, note_unanswered, resume_check
from core.refusals import CheckLimit, ProviderDown
from models.account import Account, Purpose
from models.person import Dependent, PersonIdentifier, Sex

OTHER_SEX = {Sex.MALE: Sex.FEMALE, Sex.FEMALE: Sex.MALE}


def resume(desk: Desk, step: str) -> Any:
    return desk.transactions.write(
        lambda session, now: resume_check(
            session, account_id=desk.account_id, step=step, ways=desk.adapters.ways(), vault=desk.vault, now=now
        )
    )


def give_up(desk: Desk, check_id: UUID) -> ProviderDown:
    return desk.transactions.write(
        lambda session, now: note_unanswered(session, check_id=check_id, ways=desk.adapters.ways(), now=now)
    )


def test_f_13_an_outage_costs_no_try_and_names_the_other_ways(desk: Desk) -> None:
    lost = [desk.begin() for _ in range(3)]
    with pytest.raises(CheckLimit):
        desk.begin()
    assert {tuple(give_up(desk, one.check_id).facts["methods"]) for one in lost} == {("on_site",)}
    for _ in range(3):
        assert desk.start().check.is_started
    with pytest.raises(CheckLimit):
        resume(desk, lost[0].step)


def test_f_13_one_that_is_asked_again_after_an_outage_is_a_try(desk: Desk) -> None:
    lost = [desk.begin() for _ in range(3)]
    for one in lost:
        give_up(desk, one.check_id)
    lost.append(desk.begin())
    give_up(desk, lost[-1].check_id)
    for one in lost[:3]:
        again = resume(desk, one.step)
        assert desk.store(again, ask_start(desk.adapters, again)).check.is_started
    with pytest.raises(CheckLimit):
        resume(desk, lost[3].step)


@pytest.mark.parametrize("visited", [False, True])
def test_f_13_removing_and_adding_anew_gives_no_more_tries(desk: Desk, clock: ManualClock, visited: bool) -> None:
    """Whether the row was erased with it, or a visit keeps it. Whoever is of another sex is somebody else."""
    for _ in range(3):
        desk.start()

    def replace(session: Session, now: datetime) -> tuple[UUID, UUID]:
        gone = session.get_one(Dependent, desk.dependent_id)
        known = {"identifier": session.get_one(PersonIdentifier, gone.identifier_id)} if visited else {}
        account, person_id = session.get_one(Account, desk.account_id), gone.person_id
        remove_dependent(session, account_id=account.id, dependent_id=gone.id, now=now, cause=CAUSE)
        if visited:  # as a visit would have kept it
            gone.seal_name(desk.vault, "测试甲", masked="测*甲")
        same = make_dependent(session, desk.vault, account, sex=gone.sex, now=now, **known)
        assert (same.person_id == person_id) is visited
        other = make_dependent(session, desk.vault, account, sex=OTHER_SEX[gone.sex], now=now)
        for one in (same, other):
            agree(session, account.id, Purpose.FACE, dependent_id=one.id, now=now)
        return same.id, other.id

    same, other = desk.transactions.write(replace)
    with pytest.raises(CheckLimit):
        desk.begin(dependent_id=same)
    assert desk.begin(dependent_id=other).subject is not None
