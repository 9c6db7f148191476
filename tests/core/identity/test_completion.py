"""How an identity check ends: by the platform's own word, once, in time, and by a job where the client vanished."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, cast

import pytest
from fakes import START, ManualClock
from people import Desk, job_of, make_desk, workbench
from sqlalchemy import select

from core.identity.completion import settle_identity_check
from core.identity.opening import SETTLE
from core.jobs.runner import Runner
from core.ports import FaceOutcome, FaceResult, ProviderRefused, ProviderUnavailable
from core.registry import NotConfigured
from core.transactions import Transactions
from models.base import new_id
from models.errors import NotFound
from models.identity_check import IdentityCheckStatus, IdentityMethod
from models.job import Job
from models.person import IdentityLevel, IdentityStatus
from models.sealing import Vault
from models.states import StateEvent

PASSED, FAILED, PENDING = IdentityCheckStatus.PASSED, IdentityCheckStatus.FAILED, IdentityCheckStatus.PENDING
YES, NO = FaceResult(FaceOutcome.PASSED, request_id="r-1"), FaceResult(FaceOutcome.FAILED, reason="face_mismatch")


def test_a_pass_proves_presence(desk: Desk, clock: ManualClock) -> None:
    check = desk.start().check
    desk.verifier.answers = [YES]
    clock.advance(timedelta(minutes=2))
    state = desk.complete(check.id)
    assert (state.status, state.level, state.reason) == (PASSED, IdentityLevel.PRESENT, None)
    dependent, stored = desk.dependent(), desk.check(check.id)
    assert (dependent.identity_status, dependent.identity_level) == (IdentityStatus.VERIFIED, IdentityLevel.PRESENT)
    assert (dependent.identity_method, dependent.identity_checked_at) == ("wechat_face", clock.now())
    assert (stored.level, stored.matched, stored.request_id) == (2, ["name", "id_number", "face"], "r-1")


def test_the_question_comes_from_our_own_rows(desk: Desk) -> None:
    check = desk.start().check
    desk.complete(check.id)
    assert desk.verifier.asked == [
        {
            "reference": check.reference(desk.vault),
            "out_seq_no": check.out_seq_no,
            "evidence": f"evidence-of-{check.out_seq_no}",
            "open_id": desk.open_id,
        }
    ]


def test_the_platform_is_asked_outside_of_any_transaction(desk: Desk, transactions: Transactions) -> None:
    check = desk.start().check
    desk.verifier.on_call = lambda: transactions.write(lambda session, _: session.execute(select(1)))
    desk.verifier.answers = [YES]
    assert desk.complete(check.id).status is PASSED


def test_a_failure_says_why(desk: Desk) -> None:
    check = desk.start().check
    desk.verifier.answers = [NO]
    state = desk.complete(check.id)
    assert (state.status, state.level, state.reason) == (FAILED, 0, "face_mismatch")
    assert desk.dependent().identity_status is IdentityStatus.REJECTED


@pytest.mark.parametrize("first", [YES, NO])
def test_a_check_ends_once(desk: Desk, first: FaceResult) -> None:
    check = desk.start().check
    desk.verifier.answers = [first, NO if first is YES else YES]
    states = [desk.complete(check.id), desk.complete(check.id)]
    assert states[0] == states[1]
    assert len(desk.verifier.asked) == 1


def test_twenty_completions_at_once_are_one(desk: Desk) -> None:
    check = desk.start().check
    desk.verifier.answers = [YES] * 20
    with ThreadPoolExecutor(10) as pool:
        states = list(pool.map(lambda _: desk.complete(check.id), range(20)))
    assert {state.status for state in states} == {PASSED}
    moves = desk.transactions.read(
        lambda session, _: session.scalars(
            select(StateEvent.to_status).where(StateEvent.record_id == check.id).order_by(StateEvent.seq)
        ).all()
    )
    assert moves == ["pending", "passed"]


@pytest.mark.parametrize(
    "answer",
    [
        FaceResult(FaceOutcome.PENDING),
        ProviderUnavailable("slow"),
        ProviderRefused("45009", retryable=True),
        NotConfigured("wechat_face"),
    ],
)
def test_while_nothing_is_known_it_is_pending(desk: Desk, answer: Any) -> None:
    check = desk.start().check
    desk.verifier.answers = [answer, YES]
    state = desk.complete(check.id)
    assert (state.status, state.level, state.reason) == (PENDING, 0, None)
    assert desk.complete(check.id).status is PASSED


def test_a_result_that_the_platform_keeps_from_us_is_no_pass(desk: Desk) -> None:
    """Another person's hash or another user's id comes back as an error code (wechat.md 2.1)."""
    check = desk.start().check
    desk.verifier.answers = [ProviderRefused("84014"), YES]
    assert desk.complete(check.id).reason == "not_confirmed"
    assert desk.complete(check.id).status is FAILED


def test_after_its_time_a_check_is_failed_as_expired(desk: Desk, clock: ManualClock) -> None:
    check = desk.start().check
    desk.verifier.answers = [YES]
    clock.advance(timedelta(hours=1))
    state = desk.complete(check.id)
    assert (state.status, state.reason, state.level) == (FAILED, "expired", 0)
    assert desk.verifier.asked == []
    assert desk.check(check.id).status is IdentityCheckStatus.EXPIRED
    assert desk.dependent().identity_status is IdentityStatus.EXPIRED


def test_an_answer_that_comes_after_the_time_proves_nothing(desk: Desk, clock: ManualClock) -> None:
    check = desk.start().check
    desk.verifier.answers = [YES]
    desk.verifier.on_call = lambda: clock.advance(timedelta(hours=1))
    assert desk.complete(check.id).reason == "expired"


def test_the_desk_is_not_asked_of_a_platform(desk: Desk) -> None:
    check = desk.start(IdentityMethod.ON_SITE).check
    assert desk.complete(check.id).status is PENDING
    assert desk.verifier.asked == []


def test_a_failure_takes_no_proof_away(desk: Desk) -> None:
    first, second = desk.start().check, desk.start().check
    desk.verifier.answers = [YES, NO]
    desk.complete(first.id)
    state = desk.complete(second.id)
    assert (state.status, state.level) == (FAILED, IdentityLevel.PRESENT)
    assert desk.dependent().identity_status is IdentityStatus.VERIFIED


def test_while_another_way_is_open_the_dependent_stays_pending(desk: Desk) -> None:
    desk.start(IdentityMethod.ON_SITE)
    face = desk.start().check
    desk.verifier.answers = [NO]
    desk.complete(face.id)
    assert desk.dependent().identity_status is IdentityStatus.PENDING


def test_another_accounts_check_is_not_found(desk: Desk, transactions: Transactions, vault: Vault) -> None:
    check = desk.start().check
    other = make_desk(transactions, vault, order=995)
    for check_id in (check.id, new_id()):
        with pytest.raises(NotFound):
            other.complete(check_id)
    assert other.verifier.asked == []


# --- the job ---------------------------------------------------------------------------------------------------------


def test_a_vanished_clients_pass_counts(desk: Desk) -> None:
    check = desk.start().check
    desk.verifier.answers = [YES]
    assert settle_identity_check(workbench(desk), job_of(check.id)) is None
    assert desk.dependent().identity_level == IdentityLevel.PRESENT
    moved = desk.transactions.read(
        lambda session, _: session.scalars(select(StateEvent.cause_kind).where(StateEvent.to_status == "passed")).one()
    )
    assert moved == "job"


def test_the_job_asks_ever_more_rarely_and_once_more_before_the_end(desk: Desk, clock: ManualClock) -> None:
    check, bench = desk.start().check, workbench(desk)
    clock.advance(timedelta(seconds=60))
    asked_at, again = [], clock.now()
    while again is not None:
        clock.set(again)
        asked_at.append((again - START).total_seconds())
        following = settle_identity_check(bench, job_of(check.id))
        assert following is None or following > again
        again = cast(Any, following)
    assert asked_at[-2:] == [3570.0, 3600.0]
    assert len(desk.verifier.asked) == len(asked_at) - 1 <= 12
    assert desk.check(check.id).status is IdentityCheckStatus.EXPIRED


def test_a_silent_platform_does_not_stop_the_clock(desk: Desk, clock: ManualClock) -> None:
    check, bench = desk.start().check, workbench(desk)
    desk.verifier.answers = [ProviderUnavailable("down")] * 50
    again = settle_identity_check(bench, job_of(check.id))
    while again is not None:
        clock.set(again)
        again = settle_identity_check(bench, job_of(check.id))
    assert desk.check(check.id).reason == "expired"


def test_a_start_that_was_never_answered_ends_too(desk: Desk, clock: ManualClock) -> None:
    intent, bench = desk.begin(), workbench(desk)
    assert settle_identity_check(bench, job_of(intent.check_id)) is not None
    clock.advance(timedelta(hours=1))
    assert settle_identity_check(bench, job_of(intent.check_id)) is None
    assert desk.check(intent.check_id).status is IdentityCheckStatus.EXPIRED


def test_the_desks_check_is_closed_after_thirty_days(desk: Desk, clock: ManualClock) -> None:
    check, bench = desk.start(IdentityMethod.ON_SITE).check, workbench(desk)
    assert settle_identity_check(bench, job_of(check.id)) == START + timedelta(days=30)
    clock.advance(timedelta(days=30))
    assert settle_identity_check(bench, job_of(check.id)) is None


def test_the_runner_runs_it(desk: Desk, clock: ManualClock) -> None:
    check = desk.start().check
    desk.verifier.answers = [YES]
    runner = Runner(workbench(desk), {SETTLE: settle_identity_check}, name="test", threads=1)
    clock.advance(timedelta(seconds=59))
    assert runner.run_due() == 0
    clock.advance(timedelta(seconds=1))
    assert runner.run_due() == 1
    assert desk.check(check.id).status is PASSED
    (job,) = desk.transactions.read(lambda session, _: session.scalars(select(Job)).all())
    assert job.done_at == clock.now()


def test_a_job_for_a_check_that_is_gone_fails_loudly(desk: Desk) -> None:
    with pytest.raises(NotFound):
        settle_identity_check(workbench(desk), job_of(new_id()))
