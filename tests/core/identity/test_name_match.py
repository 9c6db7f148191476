"""Name and number compared with a register: level 1 at most, nothing taken for no, and few questions a day (A-39)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fakes import START, ManualClock
from harness import race
from people import CAUSE, Desk, FakeMatcher, job_of, make_desk, workbench
from sqlalchemy.orm import Session

from core.identity.completion import settle_identity_check
from core.identity.consent_texts import current_version
from core.identity.consents import record_consent
from core.identity.methods import MATCHES_PER_DAY, open_methods, tries_of
from core.identity.name_match import ASKED_NOT_SOONER
from core.ports import MatchAnswer, NameMatch, ProviderRefused, ProviderUnavailable
from core.refusals import CheckLimit, ConsentRequired
from core.transactions import Transactions
from models.account import Purpose
from models.errors import ValidationFailed
from models.identity_check import IdentityCheckStatus, IdentityMethod
from models.person import Dependent, IdentityStatus
from models.sealing import Vault

MATCH = IdentityMethod.NAME_MATCH
MISMATCH, NO_RECORD = MatchAnswer(NameMatch.MISMATCH, "r-1"), MatchAnswer(NameMatch.NO_RECORD, "r-2")


@pytest.fixture
def desk(transactions: Transactions, vault: Vault) -> Desk:
    made = make_desk(transactions, vault)
    made.adapters.matcher = FakeMatcher()
    return made


def matcher(desk: Desk) -> FakeMatcher:
    assert desk.adapters.matcher is not None
    return desk.adapters.matcher


def methods(desk: Desk) -> list[IdentityMethod]:
    def look(session: Session, now: datetime) -> list[IdentityMethod]:
        dependent = session.get_one(Dependent, desk.dependent_id)
        tries = tries_of(session, [dependent], now=now)
        return open_methods(dependent, ways=desk.adapters.ways(), tries=tries, on=START.date())

    return desk.transactions.read(look)


def test_a_match_is_level_1_and_says_what_agreed(desk: Desk) -> None:
    check = desk.start(MATCH).check
    assert (check.status, check.level, check.matched) == (IdentityCheckStatus.PASSED, 1, ["name", "id_number"])
    assert check.request_id == "request-1"
    assert (desk.dependent().identity_level, desk.dependent().identity_status) == (1, IdentityStatus.VERIFIED)
    (reference, subject) = matcher(desk).asked[0]
    assert (reference, subject.name) == (check.out_seq_no, "测试甲")
    assert MATCH not in methods(desk)


@pytest.mark.parametrize(("answer", "reason"), [(MISMATCH, "mismatch"), (NO_RECORD, "no_record")])
def test_f_13_what_does_not_match_has_failed_and_the_desk_is_open(desk: Desk, answer: MatchAnswer, reason: str) -> None:
    matcher(desk).answers = [answer]
    check = desk.start(MATCH).check
    assert (check.status, check.reason, check.request_id) == (IdentityCheckStatus.FAILED, reason, answer.request_id)
    assert (desk.dependent().identity_level, desk.dependent().identity_status) == (0, IdentityStatus.REJECTED)
    assert methods(desk)[-1] is IdentityMethod.ON_SITE


@pytest.mark.parametrize("failure", [ProviderUnavailable("down"), ProviderRefused("Limit", retryable=True)])
def test_f_13_nobody_answering_is_no_answer(desk: Desk, clock: ManualClock, failure: Exception) -> None:
    matcher(desk).answers = [failure, failure]
    begun = desk.start(MATCH)
    assert begun.check.status is IdentityCheckStatus.PENDING
    assert IdentityMethod.ON_SITE in methods(desk)
    assert IdentityMethod.WECHAT_FACE in methods(desk)
    clock.advance(ASKED_NOT_SOONER)
    assert desk.complete(begun.check.id).status is IdentityCheckStatus.PENDING
    clock.advance(ASKED_NOT_SOONER)
    assert desk.complete(begun.check.id).level == 1
    assert len({reference for reference, _ in matcher(desk).asked}) == 1


@pytest.mark.parametrize("turn", range(3))
def test_a_39_a_silent_register_is_asked_once_in_a_pause_however_many_hammer(
    desk: Desk, clock: ManualClock, turn: int
) -> None:
    """Every question is paid for, and none of these is counted against the account's five a day."""
    register = matcher(desk)
    register.answers = [ProviderUnavailable("down")] * 99
    check_id = desk.start(MATCH).check.id
    for pauses in range(1, 3):
        clock.advance(ASKED_NOT_SOONER - timedelta(seconds=1))
        assert desk.complete(check_id).status is IdentityCheckStatus.PENDING
        assert len(register.asked) == pauses
        clock.advance(timedelta(seconds=1))
        hammer = [lambda: desk.complete(check_id), lambda: settle_identity_check(workbench(desk), job_of(check_id))]
        race(*hammer * 4)
        assert len(register.asked) == pauses + 1


def test_the_job_asks_while_the_client_is_silent(desk: Desk, clock: ManualClock) -> None:
    matcher(desk).answers = [ProviderUnavailable("down")]
    begun = desk.start(MATCH)
    clock.advance(timedelta(seconds=61))
    assert settle_identity_check(workbench(desk), job_of(begun.check.id)) is None
    assert desk.check(begun.check.id).status is IdentityCheckStatus.PASSED


def test_a_silent_register_ends_with_the_hour(desk: Desk, clock: ManualClock) -> None:
    matcher(desk).answers = [ProviderUnavailable("down")]
    begun = desk.start(MATCH)
    clock.advance(timedelta(hours=1))
    ended = desk.complete(begun.check.id)
    assert (ended.status, ended.reason, ended.level) == (IdentityCheckStatus.FAILED, "expired", 0)


def test_l_03_withdrawing_the_consent_to_the_number_ends_the_question(
    desk: Desk, clock: ManualClock, transactions: Transactions
) -> None:
    matcher(desk).answers = [ProviderUnavailable("down")]
    begun = desk.start(MATCH)
    asked = len(matcher(desk).asked)
    withdraw(transactions, desk)
    ended = desk.check(begun.check.id)
    assert (ended.status, ended.reason) == (IdentityCheckStatus.FAILED, "consent_withdrawn")
    clock.advance(timedelta(seconds=61))
    assert settle_identity_check(workbench(desk), job_of(begun.check.id)) is None
    assert len(matcher(desk).asked) == asked


def withdraw(transactions: Transactions, desk: Desk) -> None:
    transactions.write(
        lambda session, now: record_consent(
            session,
            account_id=desk.account_id,
            purpose=Purpose.SENSITIVE_IDENTITY,
            version=current_version(Purpose.SENSITIVE_IDENTITY),
            granted=False,
            dependent_id=None,
            provider="wechat_miniapp",
            identity_id=desk.identity_id,
            now=now,
            cause=CAUSE,
        )
    )


def test_our_own_account_refused_there_fails_the_check(desk: Desk) -> None:
    matcher(desk).answers = [ProviderRefused("AuthFailure")]
    check = desk.start(MATCH).check
    assert (check.status, check.reason) == (IdentityCheckStatus.FAILED, "start_refused")


def test_a_39_five_questions_a_day_for_each_account(desk: Desk, clock: ManualClock) -> None:
    matcher(desk).answers = [MISMATCH] * 9
    for _ in range(MATCHES_PER_DAY):
        desk.start(MATCH)
    assert MATCH not in methods(desk)
    with pytest.raises(CheckLimit) as refused:
        desk.begin(MATCH)
    assert refused.value.facts["methods"] == ["wechat_face", "on_site"]
    assert len(matcher(desk).asked) == MATCHES_PER_DAY
    clock.advance(timedelta(days=1))
    assert desk.start(MATCH).check.reason == "mismatch"


def test_a_weaker_proof_takes_nothing_away(desk: Desk, transactions: Transactions) -> None:
    matcher(desk).answers = [MISMATCH]

    def seen(session: Session, _: datetime) -> None:
        session.get_one(Dependent, desk.dependent_id).note_check_passed(level=2, method="on_site", at=START)

    transactions.write(seen)
    desk.start(MATCH)
    assert (desk.dependent().identity_level, desk.dependent().identity_status) == (2, IdentityStatus.VERIFIED)
    assert desk.start(MATCH).check.level == 1
    assert (desk.dependent().identity_level, desk.dependent().identity_method) == (2, "on_site")


def test_without_a_register_or_the_right_document_it_is_not_open(desk: Desk) -> None:
    matcher(desk).accepted_id_types = frozenset({"passport"})
    with pytest.raises(ValidationFailed):
        desk.begin(MATCH)
    desk.adapters.matcher = None
    with pytest.raises(ValidationFailed):
        desk.begin(MATCH)


def test_without_the_consent_to_the_number_nobody_is_asked(transactions: Transactions, vault: Vault) -> None:
    made = make_desk(transactions, vault, documents=False)
    made.adapters.matcher = FakeMatcher()
    with pytest.raises(ConsentRequired):
        made.begin(MATCH)
