"""What no platform gives back by itself: two people say how, and one word is never enough."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from harness import Patient, race
from people import CAUSE
from sqlalchemy import delete, select

from core.ledger.read import balances
from core.payments.refund_desk import DeskRefusal, Word, list_at_desk, say_of_refund
from core.ports import ProviderRefused, ProviderUnavailable, RefundState
from models.errors import NotFound
from models.job import Job
from models.ledger import LedgerAccount
from models.notice import Notice, NoticeKind
from models.payment import Channel, Refund, RefundStatus
from models.refund_decision import RefundDecision, RefundWay

AGAIN, BY_HAND = RefundWay.AGAIN, RefundWay.BY_HAND


@pytest.fixture
def at_desk(patient: Patient) -> UUID:
    """Refused for good: the account of the payer is gone."""
    patient.cancel(patient.paid())
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    patient.work()
    patient.gateway.refuse_refunds = None
    assert the(patient).status is RefundStatus.DESK
    return the(patient).id


def the(patient: Patient) -> Refund:
    return patient.refunds()[0]


def say(patient: Patient, refund_id: UUID, operator: str, way: RefundWay = BY_HAND, why: str = "柜台现金退款") -> bool:
    word = Word(way, why, operator)
    return patient.write(lambda session, now: say_of_refund(session, refund_id, word, now=now, cause=CAUSE))


def sent(patient: Patient) -> list[str]:
    return [number for verb, number in patient.gateway.calls if verb == "open_refund"]


def notices(patient: Patient) -> int:
    kinds = patient.read(lambda session: list(session.scalars(select(Notice.kind))))
    return kinds.count(NoticeKind.REFUND_SUCCEEDED)


def test_one_word_is_not_enough_and_two_give_it_back_by_hand(patient: Patient, at_desk: UUID) -> None:
    assert not say(patient, at_desk, "clerk-1")
    assert not say(patient, at_desk, "clerk-1", why="柜台转账退款"), "the same person twice is one person"
    assert (the(patient).status, the(patient).by_hand) == (RefundStatus.DESK, False)
    assert say(patient, at_desk, "clerk-2")
    refund = the(patient)
    assert (refund.status, refund.by_hand, refund.succeeded_at) == (RefundStatus.SUCCEEDED, True, patient.clock.now())
    (said,) = patient.read(lambda session: list(session.scalars(select(RefundDecision))))
    assert (said.first_by, said.second_by, said.why) == ("clerk-1", "clerk-2", "柜台转账退款 / 柜台现金退款")
    until, channels = patient.clock.now() + timedelta(seconds=1), list(Channel)
    stands = patient.read(lambda session: balances(session, merchant="demo", channels=channels, until=until))
    assert {name: fen for name, fen in stands.items() if fen} == {
        LedgerAccount.GATEWAY: 5000,
        LedgerAccount.DESK: -5000,
    }
    assert notices(patient) == 1
    patient.assert_sound()
    with pytest.raises(DeskRefusal, match="not_at_desk"):
        say(patient, at_desk, "clerk-3")


def test_a_name_typed_another_way_is_no_second_person(patient: Patient, at_desk: UUID) -> None:
    assert not say(patient, at_desk, "Li Wei", BY_HAND)
    assert not say(patient, at_desk, "ｌｉ  wei", BY_HAND)
    assert not say(patient, at_desk, "LIWEI", AGAIN), "the same person may think again"
    assert say(patient, at_desk, "Li Wen", AGAIN)


def test_two_who_say_different_things_have_decided_nothing(patient: Patient, at_desk: UUID) -> None:
    say(patient, at_desk, "clerk-1", BY_HAND)
    with pytest.raises(DeskRefusal, match="other_way_proposed"):
        say(patient, at_desk, "clerk-2", AGAIN)
    say(patient, at_desk, "clerk-1", AGAIN)
    assert say(patient, at_desk, "clerk-2", AGAIN)
    assert not the(patient).by_hand


def test_it_is_sent_again_under_the_same_number_until_it_is_answered(patient: Patient, at_desk: UUID) -> None:
    say(patient, at_desk, "clerk-1", AGAIN)
    patient.work(after=timedelta(hours=3))
    assert len(sent(patient)) == 1
    say(patient, at_desk, "clerk-2", AGAIN)
    patient.gateway.refuse_refunds = ProviderUnavailable("timeout", sent=True)
    patient.work()
    assert the(patient).status is RefundStatus.DESK
    with pytest.raises(DeskRefusal, match="being_sent"):
        say(patient, at_desk, "clerk-3", BY_HAND)
    patient.gateway.refuse_refunds = None
    patient.work(after=timedelta(minutes=5))
    assert the(patient).status is RefundStatus.PROCESSING
    assert set(sent(patient)) == {the(patient).out_refund_no}
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    assert (the(patient).status, notices(patient)) == (RefundStatus.SUCCEEDED, 1)
    patient.assert_sound()


def test_refused_anew_it_is_theirs_anew(patient: Patient, at_desk: UUID) -> None:
    patient.gateway.refuse_refunds = ProviderRefused("TRADE_OVERDUE")
    for operator in ("clerk-1", "clerk-2"):
        say(patient, at_desk, operator, AGAIN)
    patient.work()
    assert (the(patient).status, the(patient).last_refusal) == (RefundStatus.DESK, "TRADE_OVERDUE")
    patient.work(after=timedelta(days=1))
    assert len(sent(patient)) == 2
    assert not say(patient, at_desk, "clerk-2", BY_HAND)
    assert say(patient, at_desk, "clerk-1", BY_HAND)
    patient.assert_sound()


@pytest.mark.parametrize("state", [RefundState.ABNORMAL, RefundState.CLOSED])
def test_what_the_platform_makes_of_it_then(patient: Patient, at_desk: UUID, state: RefundState) -> None:
    for operator in ("clerk-1", "clerk-2"):
        say(patient, at_desk, operator, AGAIN)
    patient.gateway.refund_settles_as = state
    patient.work()
    assert str(the(patient).status) == str(state)
    patient.assert_sound()


def test_an_abnormal_one_is_given_back_by_hand_and_never_sent_again(patient: Patient) -> None:
    patient.cancel(patient.paid())
    patient.work()
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.ABNORMAL))
    patient.work()
    refund_id = the(patient).id
    with pytest.raises(DeskRefusal, match="number_known_there"):
        say(patient, refund_id, "clerk-1", AGAIN)
    say(patient, refund_id, "clerk-1")
    assert say(patient, refund_id, "clerk-2")
    assert (the(patient).status, the(patient).by_hand) == (RefundStatus.SUCCEEDED, True)
    patient.work(after=timedelta(hours=2))
    assert len(sent(patient)) == 1
    patient.assert_sound()


def test_whoever_comes_while_it_is_settled_decides_nothing(patient: Patient, at_desk: UUID) -> None:
    """Five at once, of whom each pair would do: it is decided once."""
    given = race(*(lambda who=f"clerk-{n}": say(patient, at_desk, who) for n in range(5)))
    assert [one for one in given if one is True] == [True]
    assert {str(one) for one in given if isinstance(one, Exception)} == {"not_at_desk"}
    patient.assert_sound()


def test_the_desk_sees_what_waits_and_nothing_else(patient: Patient, at_desk: UUID) -> None:
    say(patient, at_desk, "clerk-1", AGAIN, why="账户已恢复")
    (one,) = patient.read(lambda session: list_at_desk(session, limit=10))
    assert one.decision is not None
    assert (one.refund.id, one.decision.why, one.decision.is_to_be_sent) == (at_desk, "账户已恢复", False)
    assert one.payment.out_trade_no == patient.payments()[0].out_trade_no
    say(patient, at_desk, "clerk-2", AGAIN)
    patient.work()
    assert patient.read(lambda session: list_at_desk(session, limit=10)) == []
    with pytest.raises(NotFound):
        say(patient, uuid4(), "clerk-1")


def test_a_decision_whose_job_was_lost_is_carried_out_all_the_same(patient: Patient, at_desk: UUID) -> None:
    for operator in ("clerk-1", "clerk-2"):
        say(patient, at_desk, operator, AGAIN)
    patient.write(lambda session, _now: session.execute(delete(Job)))
    patient.work(after=timedelta(minutes=10))
    assert the(patient).status is RefundStatus.PROCESSING
