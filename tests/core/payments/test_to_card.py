"""What the payer's bank did not take goes to another card of theirs: two people type it, and nobody keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from harness import Patient, race
from key_rings import with_newer
from people import CAUSE
from sqlalchemy import select
from structlog.testing import capture_logs

from core.payments.refund_desk import DeskRefusal, Word, list_at_desk, say_of_refund
from core.payments.to_card import give_to_card, known_by
from core.ports import GatewayLimits, PayeeCard, ProviderRefused, ProviderUnavailable, RefundState
from core.registry import NotConfigured
from models.errors import NotFound
from models.notice import Notice, NoticeKind
from models.payment import Refund, RefundStatus
from models.refund_decision import RefundDecision, RefundWay
from models.sealing import Vault

CARD = PayeeCard("ICBC_DEBIT", "6222020200112233445", "张三")


@pytest.fixture
def abnormal(patient: Patient) -> UUID:
    """The payer's card is closed."""
    patient.cancel(patient.paid())
    patient.work()
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.ABNORMAL))
    patient.work()
    assert the(patient).status is RefundStatus.ABNORMAL
    return the(patient).id


def the(patient: Patient) -> Refund:
    return patient.refunds()[0]


def say(patient: Patient, refund_id: UUID, operator: str, card: PayeeCard = CARD) -> RefundStatus | None:
    return give_to_card(patient.workbench, refund_id, card, why="患者提供新卡", operator=operator, cause=CAUSE)


def decisions(patient: Patient) -> list[RefundDecision]:
    return patient.read(lambda session: list(session.scalars(select(RefundDecision))))


def test_two_people_who_name_one_card_send_it_there_and_nobody_keeps_it(patient: Patient, abnormal: UUID) -> None:
    assert say(patient, abnormal, "clerk-1") is None
    assert (patient.gateway.cards, the(patient).status) == ([], RefundStatus.ABNORMAL)
    assert decisions(patient)[0].card_hash is not None
    assert say(patient, abnormal, "clerk-2") is RefundStatus.PROCESSING
    (sent,) = patient.gateway.cards
    assert (sent.card, sent.platform_refund_no) == (CARD, the(patient).platform_refund_no)
    (said,) = decisions(patient)
    assert (said.card_hash, said.second_by, said.done_at is not None) == (None, "clerk-2", True)
    patient.hear(patient.gateway.settle_refund(sent.out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    assert (the(patient).status, the(patient).by_hand) == (RefundStatus.SUCCEEDED, False)
    kinds = patient.read(lambda session: list(session.scalars(select(Notice.kind))))
    assert kinds.count(NoticeKind.REFUND_SUCCEEDED) == 1
    patient.assert_sound()
    with pytest.raises(DeskRefusal, match="not_at_desk"):
        say(patient, abnormal, "clerk-3")


@pytest.mark.parametrize(
    "typed",
    [{"number": "6222020200112233446"}, {"holder": "张山"}, {"bank": "CMB_DEBIT"}],
    ids=lambda one: next(iter(one)),
)
def test_two_who_name_different_cards_have_decided_nothing(
    patient: Patient, abnormal: UUID, typed: dict[str, str]
) -> None:
    say(patient, abnormal, "clerk-1")
    with pytest.raises(DeskRefusal, match="other_card"):
        say(patient, abnormal, "clerk-2", replace(CARD, **typed))
    assert patient.gateway.cards == []
    assert say(patient, abnormal, "clerk-1", replace(CARD, **typed)) is None, "the same person may think again"
    assert say(patient, abnormal, "clerk-2", replace(CARD, **typed)) is RefundStatus.PROCESSING


def test_a_card_is_known_by_another_hash_in_each_refund(patient: Patient, abnormal: UUID) -> None:
    one, other = (known_by(patient.workbench.vault, of, CARD) for of in (abnormal, the(patient).payment_id))
    assert not set(one) & set(other)


def test_the_second_word_counts_under_a_new_key(patient: Patient, abnormal: UUID) -> None:
    say(patient, abnormal, "clerk-1")
    vault = patient.workbench.vault
    newer = Vault(sealing=vault.sealing, hashing=with_newer(vault.hashing))
    patient.workbench = replace(patient.workbench, vault=newer)
    assert say(patient, abnormal, "clerk-2") is RefundStatus.PROCESSING


def test_the_ways_do_not_mix(patient: Patient, abnormal: UUID) -> None:
    def by_hand(operator: str) -> bool:
        word = Word(RefundWay.BY_HAND, "柜台现金退款", operator)
        return patient.write(lambda session, now: say_of_refund(session, abnormal, word, now=now))

    say(patient, abnormal, "clerk-1")
    with pytest.raises(DeskRefusal, match="other_way_proposed"):
        by_hand("clerk-2")
    assert not by_hand("clerk-1")
    assert decisions(patient)[0].card_hash is None, "it is not to go to a card any more"
    with pytest.raises(DeskRefusal, match="other_way_proposed"):
        say(patient, abnormal, "clerk-2")


def test_what_cannot_go_to_a_card_is_told(patient: Patient, abnormal: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeskRefusal, match="bank_not_taken"):
        say(patient, abnormal, "clerk-1", replace(CARD, bank="ICBC_CREDIT"))
    with pytest.raises(NotFound):
        say(patient, the(patient).payment_id, "clerk-1")
    monkeypatch.setattr(patient.gateway, "limits", GatewayLimits(timedelta(seconds=60), 50))
    with pytest.raises(DeskRefusal, match="no_such_way"):
        say(patient, abnormal, "clerk-1")


def test_one_that_was_refused_for_good_is_not_for_a_card(patient: Patient) -> None:
    patient.cancel(patient.paid())
    patient.gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    patient.work()
    with pytest.raises(DeskRefusal, match="not_abnormal"):
        say(patient, the(patient).id, "clerk-1")


def test_the_platform_is_asked_first(patient: Patient, abnormal: UUID) -> None:
    """Somebody has seen to it in the platform's console."""
    say(patient, abnormal, "clerk-1")
    patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.SUCCEEDED)
    assert say(patient, abnormal, "clerk-2") is RefundStatus.SUCCEEDED
    assert patient.gateway.cards == []
    patient.assert_sound()


@pytest.mark.parametrize("refusal", [ProviderRefused("ACCOUNT_ERROR"), ProviderRefused("NOT_ENOUGH", retryable=True)])
def test_refused_it_is_theirs_anew(patient: Patient, abnormal: UUID, refusal: ProviderRefused) -> None:
    say(patient, abnormal, "clerk-1")
    patient.gateway.refuse_cards = refusal
    with pytest.raises(ProviderRefused):
        say(patient, abnormal, "clerk-2")
    assert (the(patient).status, the(patient).last_refusal) == (RefundStatus.ABNORMAL, refusal.code)
    patient.gateway.refuse_cards = None
    say(patient, abnormal, "clerk-1")
    assert say(patient, abnormal, "clerk-2") is RefundStatus.PROCESSING
    patient.assert_sound()


def test_a_lost_answer_is_asked_about(patient: Patient, abnormal: UUID) -> None:
    say(patient, abnormal, "clerk-1")
    loses(patient)
    with pytest.raises(ProviderUnavailable):
        say(patient, abnormal, "clerk-2")
    assert the(patient).status is RefundStatus.ABNORMAL
    with pytest.raises(DeskRefusal, match="being_carried_out"):
        say(patient, abnormal, "clerk-1")
    patient.gateway.meanwhile = None
    patient.gateway.down = None
    patient.work(after=timedelta(seconds=11))
    assert the(patient).status is RefundStatus.PROCESSING
    assert len(patient.gateway.cards) == 1


def loses(patient: Patient) -> None:
    """The answer to the call itself is lost, not that to the question before it."""

    def after(when: str) -> None:
        is_call = patient.gateway.calls[-1][0] == "refund_to_card"
        patient.gateway.down = "after" if is_call and when == "after" else None

    patient.gateway.meanwhile = after


def test_a_call_that_was_never_taken_is_theirs_anew_after_a_while(patient: Patient, abnormal: UUID) -> None:
    say(patient, abnormal, "clerk-1")
    patient.gateway.refuse_cards = ProviderUnavailable("timeout", sent=True)
    with pytest.raises(ProviderUnavailable):
        say(patient, abnormal, "clerk-2")
    patient.gateway.refuse_cards = None
    for _ in range(2):
        patient.work(after=timedelta(seconds=11))
    with pytest.raises(DeskRefusal, match="being_carried_out"):
        say(patient, abnormal, "clerk-1")
    for _ in range(3):
        patient.work(after=timedelta(minutes=20))
    assert say(patient, abnormal, "clerk-1") is None
    assert say(patient, abnormal, "clerk-2") is RefundStatus.PROCESSING
    assert len(patient.gateway.cards) == 1
    patient.assert_sound()


def test_a_platform_that_could_not_be_asked_leaves_it_to_them_at_once(patient: Patient, abnormal: UUID) -> None:
    say(patient, abnormal, "clerk-1")
    patient.gateway.down = "before"
    with pytest.raises(ProviderUnavailable) as caught:
        say(patient, abnormal, "clerk-2")
    assert not caught.value.sent
    patient.gateway.down = None
    assert say(patient, abnormal, "clerk-1") is None


def test_a_process_that_dies_before_the_call_leaves_it_to_them_anew(
    patient: Patient, abnormal: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    say(patient, abnormal, "clerk-1")
    with monkeypatch.context() as patched:
        patched.setattr(patient.gateway, "refund_to_card", dies)
        with pytest.raises(KeyboardInterrupt):
            say(patient, abnormal, "clerk-2")
    for _ in range(4):
        patient.work(after=timedelta(minutes=20))
    assert say(patient, abnormal, "clerk-1") is None


def test_a_merchant_account_that_is_gone_sends_nothing(
    patient: Patient, abnormal: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: str) -> None:
        raise NotConfigured()

    monkeypatch.setattr(patient.adapters, "gateway_of", gone)
    with pytest.raises(NotConfigured):
        say(patient, abnormal, "clerk-1")
    assert decisions(patient) == []


def test_the_bank_may_refuse_that_card_too(patient: Patient, abnormal: UUID) -> None:
    say(patient, abnormal, "clerk-1")
    patient.gateway.card_settles_as = RefundState.ABNORMAL
    with pytest.raises(ProviderUnavailable):
        say(patient, abnormal, "clerk-2")
    with pytest.raises(DeskRefusal, match="being_carried_out"):  # it was accepted, and may arrive yet
        say(patient, abnormal, "clerk-1")
    for _ in range(3):
        patient.work(after=timedelta(minutes=40))
        patient.work(after=timedelta(seconds=11))  # asked by another job a moment ago, it is asked again after that
    assert the(patient).status is RefundStatus.ABNORMAL
    say(patient, abnormal, "clerk-1")
    patient.gateway.card_settles_as = RefundState.PROCESSING
    assert say(patient, abnormal, "clerk-2") is RefundStatus.PROCESSING
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.ABNORMAL))
    patient.work()
    assert the(patient).status is RefundStatus.ABNORMAL
    patient.assert_sound()


def test_a_command_that_was_held_up_makes_no_call(patient: Patient, abnormal: UUID) -> None:
    """Its decision may have lapsed, and others have given the money by hand."""
    say(patient, abnormal, "clerk-1")
    patient.gateway.meanwhile = lambda when: patient.clock.advance(timedelta(minutes=3)) if when == "before" else None
    with pytest.raises(ProviderUnavailable):
        say(patient, abnormal, "clerk-2")
    patient.gateway.meanwhile = None
    assert patient.gateway.cards == []
    assert say(patient, abnormal, "clerk-1") is None, "it is theirs anew"


def test_whoever_comes_second_at_once_sends_it_once(patient: Patient, abnormal: UUID) -> None:
    say(patient, abnormal, "clerk-0")
    given = race(*(lambda who=f"clerk-{n}": say(patient, abnormal, who) for n in range(1, 6)))
    assert [one for one in given if not isinstance(one, Exception)] == [RefundStatus.PROCESSING]
    assert {str(one) for one in given if isinstance(one, Exception)} <= {"being_carried_out", "not_at_desk"}
    assert len(patient.gateway.cards) == 1
    patient.assert_sound()


def test_nothing_of_the_card_is_in_a_log(patient: Patient, abnormal: UUID) -> None:
    with capture_logs() as lines:
        say(patient, abnormal, "clerk-1")
        patient.gateway.refuse_cards = ProviderRefused("ACCOUNT_ERROR")
        with pytest.raises(ProviderRefused):
            say(patient, abnormal, "clerk-2")
    assert lines
    assert not [one for one in lines if CARD.number in str(one) or CARD.holder in str(one)]


# --- the clock


def alarms(patient: Patient, after: timedelta) -> list[tuple[object, object]]:
    with capture_logs() as lines:
        patient.work(after=after)
    return [(one["days"], one["alarm"]) for one in lines if one["event"] == "refund_waits_for_people"]


def test_what_waits_for_people_for_a_day_is_an_alarm_each_day(patient: Patient, abnormal: UUID) -> None:
    (waits,) = patient.read(lambda session: list_at_desk(session, limit=10, now=patient.clock.now()))
    assert waits.since > the(patient).created_at or waits.since == patient.clock.now()
    assert alarms(patient, timedelta(hours=23)) == []
    assert alarms(patient, timedelta(hours=2)) == [(1, True)]
    assert alarms(patient, timedelta(hours=5)) == [], "once a day is often enough"
    assert alarms(patient, timedelta(hours=20)) == [(2, True)]
    say(patient, abnormal, "clerk-1")
    assert alarms(patient, timedelta(days=1)) == [(3, True)]
    assert say(patient, abnormal, "clerk-2") is RefundStatus.PROCESSING
    assert alarms(patient, timedelta(days=1)) == []


def test_it_waits_since_it_came_to_people(patient: Patient) -> None:
    """Not since it was due: the platform had it for days."""
    patient.cancel(patient.paid())
    patient.work()
    patient.work(after=timedelta(days=2))
    patient.work(after=timedelta(hours=12))
    patient.hear(patient.gateway.settle_refund(the(patient).out_refund_no, RefundState.ABNORMAL))
    patient.work()
    (waits,) = patient.read(lambda session: list_at_desk(session, limit=10, now=patient.clock.now()))
    assert waits.since == patient.clock.now()
    assert alarms(patient, timedelta(hours=23)) == [], "it was looked at, and has not waited for a day"
    assert alarms(patient, timedelta(days=1)) == [(1, True)]


def test_what_two_people_have_decided_waits_for_nobody(patient: Patient, abnormal: UUID) -> None:
    patient.gateway.down = "before"
    for operator in ("clerk-1", "clerk-2"):
        word = Word(RefundWay.BY_HAND, "柜台现金退款", operator)
        patient.write(lambda session, now, word=word: say_of_refund(session, abnormal, word, now=now))
    assert alarms(patient, timedelta(days=2)) == []


def test_a_card_that_one_person_named_long_ago_is_forgotten(patient: Patient, abnormal: UUID) -> None:
    say(patient, abnormal, "clerk-1")
    patient.work(after=timedelta(days=2))
    assert decisions(patient)[0].card_hash is not None
    patient.work(after=timedelta(days=1, minutes=1))
    assert decisions(patient) == []
    assert say(patient, abnormal, "clerk-2") is None
    patient.clock.advance(timedelta(days=3, seconds=1))
    assert say(patient, abnormal, "clerk-3") is None, "the proposal has fallen; this is another first word"
    assert patient.gateway.cards == []
