"""What no platform gives back by itself: two people say how, and one word is never enough."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from harness import Patient, race
from people import CAUSE
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.clock import hospital_day
from core.ledger.read import balances
from core.payments.push_refund import refund_order
from core.payments.refund_desk import DeskRefusal, Word, list_at_desk, say_of_refund
from core.ports import ProviderRefused, ProviderUnavailable, RefundAnswer, RefundOrder, RefundState
from core.registry import NotConfigured
from models.errors import NotFound
from models.job import Job
from models.ledger import LedgerAccount
from models.notice import Notice, NoticeKind
from models.payment import Channel, Refund, RefundStatus
from models.reconciliation import Difference, DifferenceEnd, DifferenceKind
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
    return patient.write(lambda session, now: say_of_refund(session, refund_id, word, now=now))


def decide(patient: Patient, refund_id: UUID, way: RefundWay) -> None:
    assert not say(patient, refund_id, "clerk-1", way)
    assert say(patient, refund_id, "clerk-2", way)


def carried_out(patient: Patient) -> None:
    """The platform was asked, a moment after whatever it was sent or asked before."""
    for _ in range(2):
        patient.work(after=timedelta(seconds=11))


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
    assert the(patient).status is RefundStatus.DESK, "the platform is asked first"
    carried_out(patient)
    refund = the(patient)
    assert (refund.status, refund.by_hand) == (RefundStatus.SUCCEEDED, True)
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
    carried_out(patient)
    assert the(patient).status is RefundStatus.DESK
    with pytest.raises(DeskRefusal, match="being_carried_out"):
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
    decide(patient, at_desk, AGAIN)
    carried_out(patient)
    assert (the(patient).status, the(patient).last_refusal) == (RefundStatus.DESK, "TRADE_OVERDUE")
    patient.work(after=timedelta(days=1))
    assert len(sent(patient)) == 2
    decide(patient, at_desk, BY_HAND)
    carried_out(patient)
    assert the(patient).by_hand
    patient.assert_sound()


@pytest.mark.parametrize("state", [RefundState.ABNORMAL, RefundState.CLOSED])
def test_what_the_platform_makes_of_it_then(patient: Patient, at_desk: UUID, state: RefundState) -> None:
    decide(patient, at_desk, AGAIN)
    patient.gateway.refund_settles_as = state
    carried_out(patient)
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
    decide(patient, refund_id, BY_HAND)
    carried_out(patient)
    assert (the(patient).status, the(patient).by_hand) == (RefundStatus.SUCCEEDED, True)
    patient.work(after=timedelta(hours=2))
    assert len(sent(patient)) == 1
    patient.assert_sound()


def test_whoever_comes_while_it_is_settled_decides_nothing(patient: Patient, at_desk: UUID) -> None:
    """Five at once, of whom each pair would do: it is decided once."""
    given = race(*(lambda who=f"clerk-{n}": say(patient, at_desk, who) for n in range(5)))
    assert [one for one in given if one is True] == [True]
    assert {str(one) for one in given if isinstance(one, Exception)} == {"being_carried_out"}
    carried_out(patient)
    patient.assert_sound()


def test_the_desk_sees_what_waits_and_nothing_else(patient: Patient, at_desk: UUID) -> None:
    say(patient, at_desk, "clerk-1", AGAIN, why="账户已恢复")
    (one,) = patient.read(lambda session: list_at_desk(session, limit=10, now=patient.clock.now()))
    assert one.decision is not None
    assert (one.refund.id, one.decision.why, one.decision.is_in_course) == (at_desk, "账户已恢复", False)
    assert one.payment.out_trade_no == patient.payments()[0].out_trade_no
    say(patient, at_desk, "clerk-2", AGAIN)
    carried_out(patient)
    assert patient.read(lambda session: list_at_desk(session, limit=10, now=patient.clock.now())) == []
    with pytest.raises(NotFound):
        say(patient, uuid4(), "clerk-1")


def test_a_decision_whose_job_was_lost_is_carried_out_all_the_same(patient: Patient, at_desk: UUID) -> None:
    decide(patient, at_desk, AGAIN)
    patient.write(lambda session, _now: session.execute(delete(Job)))
    patient.work(after=timedelta(minutes=10))
    assert the(patient).status is RefundStatus.PROCESSING


def known_there(patient: Patient, state: RefundState) -> None:
    """A call that nobody here heard the answer of."""
    refund = the(patient)
    patient.gateway.refund_settles_as = state
    patient.gateway.open_refund(refund_order(refund, patient.payments()[0]))


@pytest.mark.parametrize("way", [AGAIN, BY_HAND])
@pytest.mark.parametrize("state", [RefundState.PROCESSING, RefundState.SUCCEEDED])
def test_what_the_platform_has_is_given_by_nobody_else(
    patient: Patient, at_desk: UUID, way: RefundWay, state: RefundState
) -> None:
    """Its answer was lost, or came too late: whatever two people say, the platform is asked first."""
    known_there(patient, state)
    calls = len(sent(patient))
    decide(patient, at_desk, way)
    carried_out(patient)
    assert (str(the(patient).status), the(patient).by_hand) == (str(state), False)
    assert len(sent(patient)) == calls
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    assert (the(patient).status, notices(patient)) == (RefundStatus.SUCCEEDED, 1)
    patient.assert_sound()


@pytest.mark.parametrize("state", [RefundState.ABNORMAL, RefundState.CLOSED])
def test_what_the_platform_could_not_give_is_given_by_hand(patient: Patient, at_desk: UUID, state: RefundState) -> None:
    known_there(patient, state)
    decide(patient, at_desk, BY_HAND)
    carried_out(patient)
    assert (the(patient).status, the(patient).by_hand) == (RefundStatus.SUCCEEDED, True)
    patient.assert_sound()


def test_nothing_is_given_by_hand_while_the_platform_is_silent(patient: Patient, at_desk: UUID) -> None:
    decide(patient, at_desk, BY_HAND)
    patient.gateway.down = "before"
    patient.work(after=timedelta(hours=1))
    assert the(patient).status is RefundStatus.DESK
    patient.gateway.down = None
    patient.work(after=timedelta(hours=1))
    assert the(patient).by_hand


def test_an_answer_that_comes_when_it_is_at_the_desk_already_counts(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hospital says that it keeps the number while the refund is on its way to the platform."""
    patient.cancel(patient.paid())
    opens = patient.gateway.open_refund

    def meanwhile(order: RefundOrder) -> RefundAnswer:
        patient.write(to_desk)
        return opens(order)

    def to_desk(session: Session, now: datetime) -> None:
        refund = session.get_one(Refund, the(patient).id)
        refund.become(session, RefundStatus.DESK, at=now, cause=CAUSE, reason="kept_by_hospital")

    monkeypatch.setattr(patient.gateway, "open_refund", meanwhile)
    patient.work()
    assert the(patient).status is RefundStatus.PROCESSING


def test_what_arrives_after_it_was_given_by_hand_wakes_somebody(patient: Patient, at_desk: UUID) -> None:
    known_there(patient, RefundState.ABNORMAL)
    decide(patient, at_desk, BY_HAND)
    carried_out(patient)
    with capture_logs() as lines:
        patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.SUCCEEDED))
        patient.work()
    assert [one["alarm"] for one in lines if one["event"] == "refund_given_twice"] == [True]
    assert notices(patient) == 1
    patient.assert_sound()


def test_where_the_merchant_account_is_gone_the_hospital_gives_it(
    patient: Patient, at_desk: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: str) -> None:
        raise NotConfigured()

    decide(patient, at_desk, BY_HAND)
    monkeypatch.setattr(patient.adapters, "gateway_of", gone)
    carried_out(patient)
    assert the(patient).by_hand


def test_what_the_platform_does_not_take_for_half_an_hour_is_theirs_anew(patient: Patient, at_desk: UUID) -> None:
    patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
    decide(patient, at_desk, AGAIN)
    for _ in range(3):
        patient.work(after=timedelta(minutes=20))
    patient.gateway.refuse_refunds = None
    decide(patient, at_desk, BY_HAND)
    carried_out(patient)
    assert the(patient).by_hand
    assert set(sent(patient)) == {the(patient).out_refund_no}


def test_a_proposal_that_its_person_lets_lie_falls(patient: Patient, at_desk: UUID) -> None:
    say(patient, at_desk, "clerk-1", AGAIN)
    patient.clock.advance(timedelta(days=3, seconds=1))
    assert not say(patient, at_desk, "clerk-2", BY_HAND)
    assert say(patient, at_desk, "clerk-3", BY_HAND)


# --- refused for now, and for long


@pytest.fixture
def refused(patient: Patient) -> UUID:
    """The hospital's balance has been short for a day."""
    patient.cancel(patient.paid())
    patient.gateway.refuse_refunds = ProviderRefused("NOT_ENOUGH", retryable=True)
    patient.work()
    patient.clock.advance(timedelta(days=1))
    return the(patient).id


def at_the_desk(patient: Patient) -> list[UUID]:
    now = patient.clock.now()
    return [one.refund.id for one in patient.read(lambda session: list_at_desk(session, limit=10, now=now))]


def test_what_a_platform_has_refused_for_a_day_the_hospital_may_give_itself(patient: Patient, refused: UUID) -> None:
    assert at_the_desk(patient) == [refused]
    with pytest.raises(DeskRefusal, match="not_at_desk"):
        say(patient, refused, "clerk-1", AGAIN)  # that goes on by itself
    decide(patient, refused, BY_HAND)
    patient.gateway.refuse_refunds, before = None, len(sent(patient))
    for _ in range(3):
        patient.work(after=timedelta(hours=1))
    assert len(sent(patient)) == before, "whoever tops up the balance sends it no more"
    assert (the(patient).status, the(patient).by_hand) == (RefundStatus.SUCCEEDED, True)
    patient.assert_sound()


def test_until_then_its_job_alone_sends_it(patient: Patient, refused: UUID) -> None:
    patient.clock.advance(timedelta(minutes=-1))
    assert at_the_desk(patient) == []
    with pytest.raises(DeskRefusal, match="not_at_desk"):
        say(patient, refused, "clerk-1")
    patient.gateway.refuse_refunds = None
    patient.work(after=timedelta(minutes=2))
    assert the(patient).status is RefundStatus.PROCESSING
    assert at_the_desk(patient) == []


def test_nobody_decides_about_one_that_is_just_being_sent(
    patient: Patient, refused: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call may be taken, and its answer be lost."""
    say(patient, refused, "clerk-1")
    given: list[str] = []

    def loses(order: RefundOrder) -> RefundAnswer:
        with pytest.raises(DeskRefusal, match="not_at_desk"):
            say(patient, refused, "clerk-2")
        given.append(order.out_refund_no)
        raise ProviderUnavailable("no answer", sent=True)

    monkeypatch.setattr(patient.gateway, "open_refund", loses)
    patient.work()
    assert given == [the(patient).out_refund_no]
    assert the(patient).status is RefundStatus.UNKNOWN
    with pytest.raises(DeskRefusal, match="not_at_desk"):
        say(patient, refused, "clerk-2")


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("_turn", range(5))
def test_its_job_and_the_second_word_at_once_give_it_once(patient: Patient, refused: UUID, _turn: int) -> None:
    say(patient, refused, "clerk-1")
    patient.gateway.refuse_refunds, patient.gateway.refund_settles_as = None, RefundState.SUCCEEDED
    race(patient.work, lambda: say(patient, refused, "clerk-2"))
    carried_out(patient)
    was_sent = the(patient).out_refund_no in patient.gateway.refunds
    assert the(patient).status is RefundStatus.SUCCEEDED
    assert the(patient).by_hand is not was_sent
    patient.assert_sound()


def test_one_whose_merchant_account_is_gone_waits_and_may_be_given_by_hand(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: str) -> None:
        raise NotConfigured()

    patient.cancel(patient.paid())
    with monkeypatch.context() as patched:
        patched.setattr(patient.adapters, "gateway_of", gone)
        for _ in range(3):
            patient.work(after=timedelta(hours=12))
        assert (the(patient).status, the(patient).last_refusal) == (RefundStatus.DUE, "no_such_merchant")
        dead = patient.read(lambda session: list(session.scalars(select(Job.id).where(Job.dead_at.is_not(None)))))
        assert dead == []
        decide(patient, the(patient).id, BY_HAND)
        carried_out(patient)
    assert the(patient).by_hand
    patient.assert_sound()


def test_what_a_bill_says_went_back_already_nobody_gives_by_hand(patient: Patient, at_desk: UUID) -> None:
    """As after a restore: the platform has a refund of the same payment, and here only its bill tells of it."""
    (payment,) = patient.payments()
    about = {"provider": "wechat_pay", "day": hospital_day(patient.clock.now()), "entry": "refund", "number": "R-lost"}

    def tell(session: Session, now: datetime) -> None:
        session.add(
            Difference(
                id=uuid4(),
                merchant=payment.merchant,
                kind=DifferenceKind.THEIRS_ONLY,
                facts={"out_trade_no": payment.out_trade_no},
                opened_at=now,
                **about,
            )
        )

    def end(session: Session, now: datetime) -> None:
        session.scalars(select(Difference)).one().end(DifferenceEnd.FOUND, at=now)

    patient.write(tell)
    with pytest.raises(DeskRefusal, match="refunded_in_bill"):
        say(patient, at_desk, "clerk-1")
    assert not say(patient, at_desk, "clerk-1", AGAIN)  # the platform itself refuses what was given back
    patient.write(end)
    assert not say(patient, at_desk, "clerk-1")
