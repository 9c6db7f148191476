"""A hospital's receipts against the job that gives money back, and against one another: real threads, real rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from time import sleep
from uuid import UUID

import pytest
from harness import Patient, beside, far_away, insistently, join, race
from paperwork import Finance
from people import CAUSE

from core.catalog.faults import InvalidDirectory
from core.dependents.remove import remove_dependent
from core.payments.refund_desk import DeskRefusal, Word, say_of_refund
from core.ports import IssuedReceipt, RefundState
from core.receipts.keep import Kept
from core.receipts.red_first import LOOK
from models.database import Database
from models.payment import RefundStatus
from models.refund_decision import RefundWay
from models.sealing import ERASED

ROUNDS = 8
pytestmark = pytest.mark.parametrize("database", ["postgres"], indirect=True)


def another(patient: Patient) -> Patient:
    """In a clinic that has room for all of them."""
    return join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)


def send_after(seconds: float, finance: Finance, one: IssuedReceipt) -> Kept:
    """So that it meets each step of the other."""
    sleep(seconds)
    return finance.send(one)


@pytest.fixture
def first(patient: Patient) -> Patient:
    patient.schedule_id = beside(patient, numbers=ROUNDS * 2)
    return patient


@pytest.mark.parametrize("look", ["the first", "a later one"])
def test_a_red_one_that_comes_while_the_job_looks_is_seen(first: Patient, database: Database, look: str) -> None:
    """The job has it in hand and has just seen that it stands: it must not sleep for an hour all the same."""
    finance = Finance(first)
    finance.wants_red_first()
    for nth in range(ROUNDS):
        someone = another(first)
        visit = someone.paid()
        blue = finance.issue(visit)
        finance.send(blue)
        someone.cancel(visit)
        if look == "a later one":
            someone.work()
            assert first.refunds()[-1].awaits_red_since is not None
            first.clock.advance(LOOK)
        red = finance.redden(blue)
        with far_away(database, seconds=0.001):
            told = race(first.work, partial(send_after, nth * 0.006, finance, red))
        assert [one for one in told if isinstance(one, Exception)] == []
        first.work()
        refund = first.refunds()[-1]
        assert (refund.status, refund.awaits_red_since) == (RefundStatus.PROCESSING, None)
        assert first.gateway.calls.count(("open_refund", refund.out_refund_no)) == 1
    first.assert_sound()


def test_one_that_comes_while_its_money_goes_holds_it_or_is_told_to_be_late(first: Patient, database: Database) -> None:
    finance, seen = Finance(first), Counter[str]()
    finance.wants_red_first()
    for _ in range(ROUNDS):
        someone = another(first)
        visit = someone.paid()
        blue = finance.issue(visit)
        someone.cancel(visit)
        with far_away(database, seconds=0.001):
            _, kept = race(first.work, lambda blue=blue: finance.send(blue))
        assert isinstance(kept, Kept), kept
        first.work()
        refund = first.refunds()[-1]
        is_held = refund.awaits_red_since is not None
        assert is_held is (refund.status is RefundStatus.DUE)
        assert bool(kept.too_late) is not is_held
        seen["held" if is_held else "late"] += 1
    first.assert_sound()
    assert seen.total() == ROUNDS


def test_the_second_word_for_by_hand_and_the_red_one_never_both_give_it(first: Patient, database: Database) -> None:
    finance = Finance(first)
    finance.wants_red_first()
    for _ in range(ROUNDS):
        someone = another(first)
        visit = someone.paid()
        blue = finance.issue(visit)
        finance.send(blue)
        someone.cancel(visit)
        someone.work()
        refund, red = first.refunds()[-1], finance.redden(blue)

        def say(operator: str, of: UUID = refund.id) -> bool:
            word = Word(RefundWay.BY_HAND, "柜台现金退款", operator)
            return first.write(lambda session, now: say_of_refund(session, of, word, now=now))

        def import_and_send(red: IssuedReceipt = red) -> None:
            finance.send(red)
            first.work()

        assert not say("clerk-1")
        with far_away(database, seconds=0.001):
            _, told = race(import_and_send, lambda say=say: say("clerk-2"))
        assert told is True or (isinstance(told, DeskRefusal) and told.code == "not_at_desk"), told
        first.work(after=timedelta(seconds=11))
        first.work(after=timedelta(seconds=11))
        found = first.refunds()[-1]
        assert found.by_hand is (told is True)
        assert first.gateway.calls.count(("open_refund", refund.out_refund_no)) == (told is not True)
    first.assert_sound()


def test_a_file_that_is_sent_twice_at_once_is_kept_once(first: Patient) -> None:
    finance = Finance(first)
    for _ in range(ROUNDS):
        blue = finance.issue(another(first).paid())
        told = race(*[lambda blue=blue: finance.send(blue)] * 2)
        assert all(isinstance(one, Kept) for one in told), told
        assert sorted((one.blue, one.unchanged) for one in told if isinstance(one, Kept)) == [(0, 1), (1, 0)]
    assert len(finance.kept()) == ROUNDS


def test_a_number_that_two_files_give_to_two_patients_is_of_one(first: Patient, database: Database) -> None:
    finance = Finance(first)
    for _ in range(ROUNDS // 2):
        one, other = (finance.issue(another(first).paid()) for _ in range(2))
        other = replace(other, name=one.name)
        with far_away(database, seconds=0.001):
            told = race(*[lambda it=it: finance.send(it) for it in (one, other)])
        assert sorted(type(it).__name__ for it in told) == ["InvalidDirectory", "Kept"], told
        (refused,) = (it for it in told if isinstance(it, InvalidDirectory))
        assert [fault.code for fault in refused.faults] == ["other_content"]


def test_nothing_that_opens_it_outlives_the_patient(first: Patient, database: Database) -> None:
    """Removed while the hospital's file is being kept."""
    finance = Finance(first)
    for nth in range(ROUNDS):
        someone = another(first)
        visit = someone.paid()
        blue = finance.issue(visit)
        someone.cancel(visit)
        someone.work()
        someone.hear(first.gateway.settle_refund(first.refunds()[-1].out_refund_no, RefundState.SUCCEEDED))
        someone.work(after=timedelta(minutes=1))

        def remove(who: Patient = someone) -> None:
            who.write(
                lambda session, now: remove_dependent(
                    session, account_id=who.account_id, dependent_id=who.dependent_id, now=now, cause=CAUSE
                )
            )

        with far_away(database, seconds=0.001):
            told = race(insistently(remove), insistently(partial(send_after, nth * 0.008, finance, blue)))
        assert [one for one in told if isinstance(one, Exception)] == []
        row = finance.kept()[-1]
        assert (row.check_code_sealed, row.url_sealed) == (ERASED, None)
