"""Beginning an identity check: who may, how often, and what happens when the platform does not answer (F-60, A-40)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from fakes import START, ManualClock
from people import CAUSE, PROVIDER, Desk, agree, make_desk, resident_id
from sqlalchemy import func, select

from core.dependents.remove import remove_dependent
from core.identity.checks import ask_start, resume_check
from core.identity.consent_texts import current_version
from core.identity.consents import record_consent
from core.identity.methods import Ways
from core.identity.opening import SETTLE
from core.ports import ProviderRefused, ProviderUnavailable
from core.refusals import CheckLimit, ConsentRequired, ProviderDown
from core.registry import NotConfigured
from core.transactions import Transactions
from models.account import Purpose
from models.base import new_id
from models.errors import NotFound, ValidationFailed
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.job import Job
from models.person import IdentityStatus
from models.sealing import Vault
from models.states import StateEvent

FACE, ON_SITE = IdentityMethod.WECHAT_FACE, IdentityMethod.ON_SITE


def test_a_face_check_is_opened_at_the_platform(desk: Desk) -> None:
    begun = desk.start()
    (out_seq_no, subject) = desk.verifier.started[0]
    assert begun.client_params == {"verifyId": begun.check.reference(desk.vault)}
    assert (begun.check.status, begun.check.out_seq_no) == (IdentityCheckStatus.PENDING, out_seq_no)
    assert 5 <= len(out_seq_no) <= 32
    assert (subject.id_type, subject.name, subject.id_number) == ("resident_id", "测试甲", resident_id())
    assert subject.open_id == desk.open_id
    assert begun.check.expires_at == START + timedelta(hours=1)
    assert begun.check.opened_evidence(desk.vault) == f"evidence-of-{out_seq_no}"
    assert desk.dependent().identity_status is IdentityStatus.PENDING


def test_the_number_is_written_down_before_the_platform_hears_of_it(desk: Desk) -> None:
    intent = desk.begin()
    assert desk.check(intent.check_id).out_seq_no == intent.out_seq_no
    assert desk.verifier.started == []


def test_the_platform_is_called_outside_of_any_transaction(desk: Desk, transactions: Transactions) -> None:
    """On SQLite a transaction left open would hold up this one for ever."""
    desk.verifier.on_call = lambda: transactions.write(lambda session, _: session.execute(select(1)))
    assert desk.start().check.is_started


def test_reference_and_evidence_are_sealed(desk: Desk) -> None:
    check = desk.start().check
    stored = (check.reference_sealed or b"") + (check.evidence or "").encode()
    assert b"verify-" not in stored
    assert b"evidence" not in stored


def test_f_07_what_the_platform_knows_it_by_goes_with_its_end(desk: Desk, transactions: Transactions) -> None:
    check = desk.start().check
    assert check.reference_sealed is not None
    account_id = desk.dependent().account_id
    transactions.write(
        lambda session, now: remove_dependent(
            session, account_id=account_id, dependent_id=desk.dependent_id, now=now, cause=CAUSE
        )
    )
    left = desk.check(check.id)
    assert left.is_started
    assert (left.reference_sealed, left.evidence, left.status) == (None, None, IdentityCheckStatus.FAILED)


def test_without_the_dependents_consent_nothing_begins(transactions: Transactions, vault: Vault) -> None:
    desk = make_desk(transactions, vault, face=False)
    with pytest.raises(ConsentRequired) as refused:
        desk.begin()
    assert refused.value.facts["purpose"] == "face"
    assert refused.value.facts["dependent_id"] == str(desk.dependent_id)


def test_the_desk_needs_no_consent_to_a_face(transactions: Transactions, vault: Vault) -> None:
    desk = make_desk(transactions, vault, face=False)
    begun = desk.start(ON_SITE)
    assert (begun.check.status, begun.client_params) == (IdentityCheckStatus.PENDING, {})
    assert begun.check.expires_at == START + timedelta(days=30)
    assert desk.verifier.started == []


def test_one_open_check_at_the_desk_is_enough(desk: Desk, clock: ManualClock) -> None:
    first = desk.start(ON_SITE).check
    assert desk.start(ON_SITE).check.id == first.id
    clock.advance(timedelta(days=30))
    second = desk.start(ON_SITE).check
    assert second.id != first.id
    assert desk.check(first.id).status is IdentityCheckStatus.EXPIRED
    assert desk.dependent().identity_status is IdentityStatus.PENDING


@pytest.mark.parametrize("method", [m for m in IdentityMethod if m not in (FACE, ON_SITE)])
def test_a_method_without_an_adapter_is_refused(desk: Desk, method: IdentityMethod) -> None:
    with pytest.raises(ValidationFailed) as refused:
        desk.begin(method)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("#/method", "method_not_open")]


def test_where_the_callers_app_has_no_verifier_the_face_is_not_open(desk: Desk) -> None:
    with pytest.raises(ValidationFailed):
        desk.begin(FACE, ways=Ways())


def test_a_child_below_fourteen_shows_no_face(transactions: Transactions, vault: Vault) -> None:
    """FACE-03, rules.md 1.2.9: not even with consent."""
    desk = make_desk(transactions, vault, birth=date(2012, 11, 23))
    with pytest.raises(ValidationFailed):
        desk.begin()
    assert desk.start(ON_SITE).check.is_pending


def test_another_accounts_dependent_is_not_found(desk: Desk, transactions: Transactions, vault: Vault) -> None:
    other = make_desk(transactions, vault, order=995)
    for method in (FACE, ON_SITE):
        with pytest.raises(NotFound):
            desk.begin(method, dependent_id=other.dependent_id)
    with pytest.raises(NotFound):
        resume(desk, other.begin().step)


def test_three_tries_a_day(desk: Desk, clock: ManualClock) -> None:
    for _ in range(3):
        desk.start()
    with pytest.raises(CheckLimit) as refused:
        desk.begin()
    assert refused.value.facts == {"methods": ["on_site"]}
    midnight = START.replace(hour=16)
    assert refused.value.retry_at == midnight
    clock.set(midnight)
    assert desk.start().check.is_started


def test_tries_at_once_are_counted_one_by_one(desk: Desk) -> None:
    def attempt(_: int) -> str:
        try:
            desk.begin()
        except CheckLimit as refused:
            return refused.code
        return "begun"

    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(attempt, range(6)))
    assert (ended.count("begun"), ended.count("check_limit")) == (3, 3)


def test_a_try_that_the_platform_never_opened_is_not_counted(desk: Desk) -> None:
    desk.verifier.start_failures = [ProviderRefused("84006")] * 4
    for _ in range(4):
        assert desk.start().check.status is IdentityCheckStatus.FAILED
    assert desk.start().check.is_started


def test_a_refused_start_has_failed_and_leaves_the_desk(desk: Desk) -> None:
    desk.verifier.start_failures = [ProviderRefused("84006")]
    begun = desk.start()
    assert (begun.check.status, begun.check.reason) == (IdentityCheckStatus.FAILED, "start_refused")
    assert begun.client_params == {}
    assert desk.dependent().identity_status is IdentityStatus.REJECTED
    assert desk.start(ON_SITE).check.is_pending


@pytest.mark.parametrize(
    "failure", [ProviderUnavailable("slow"), ProviderRefused("45009", retryable=True), NotConfigured("wechat_face")]
)
def test_where_nothing_is_known_the_check_stays_open(desk: Desk, failure: Exception) -> None:
    desk.verifier.start_failures = [failure]
    intent = desk.begin()
    with pytest.raises(ProviderDown):
        ask_start(desk.adapters, intent)
    check = desk.check(intent.check_id)
    assert check.is_pending
    assert not check.is_started


def resume(desk: Desk, step: str) -> Any:
    return desk.transactions.write(
        lambda session, now: resume_check(
            session, account_id=desk.account_id, step=step, ways=desk.adapters.ways(), vault=desk.vault, now=now
        )
    )


def test_a_repeat_goes_on_under_the_same_number(desk: Desk) -> None:
    first = desk.begin()
    again = resume(desk, first.step)
    begun = desk.store(again, ask_start(desk.adapters, again))
    assert [number for number, _ in desk.verifier.started] == [first.out_seq_no]
    assert begun.check.id == first.check_id
    assert begun.check.is_started


def test_a_number_that_was_taken_while_its_answer_was_lost_ends_the_check(desk: Desk) -> None:
    first = desk.begin()
    desk.verifier.start_failures = [ProviderRefused("84011")]
    again = resume(desk, first.step)
    begun = desk.store(again, ask_start(desk.adapters, again))
    assert (begun.check.status, begun.check.reason) == (IdentityCheckStatus.FAILED, "start_lost")


def test_a_repeat_after_the_end_asks_nothing(desk: Desk, clock: ManualClock) -> None:
    first = desk.begin()
    clock.advance(timedelta(hours=1))
    again = resume(desk, first.step)
    assert ask_start(desk.adapters, again) is None
    assert desk.store(again, None).client_params == {}
    assert desk.verifier.started == []


def test_an_answer_for_a_check_that_is_over_changes_nothing(desk: Desk) -> None:
    intent = desk.begin()
    outcome = ask_start(desk.adapters, intent)
    withdraw(desk)
    begun = desk.store(intent, outcome)
    assert (begun.check.status, begun.check.reason) == (IdentityCheckStatus.FAILED, "consent_withdrawn")
    assert (begun.client_params, begun.check.is_started) == ({}, False)


def withdraw(desk: Desk) -> None:
    desk.transactions.write(
        lambda session, now: record_consent(
            session,
            account_id=desk.account_id,
            purpose=Purpose.FACE,
            version=current_version(Purpose.FACE),
            granted=False,
            dependent_id=desk.dependent_id,
            provider=PROVIDER,
            identity_id=new_id(),
            now=now,
            cause=CAUSE,
        )
    )


def test_withdrawing_ends_open_face_checks_at_once_and_no_other(desk: Desk, clock: ManualClock) -> None:
    face, at_desk = desk.start().check, desk.start(ON_SITE).check
    clock.advance(timedelta(seconds=1))
    withdraw(desk)
    assert (desk.check(face.id).status, desk.check(face.id).reason) == (IdentityCheckStatus.FAILED, "consent_withdrawn")
    assert desk.check(at_desk.id).is_pending
    with pytest.raises(ConsentRequired):
        desk.begin()
    clock.advance(timedelta(seconds=1))
    desk.transactions.write(
        lambda session, now: agree(session, desk.account_id, Purpose.FACE, dependent_id=desk.dependent_id, now=now)
    )
    assert desk.start().check.is_started


def test_one_job_watches_each_check(desk: Desk) -> None:
    check = desk.start().check
    (job,) = desk.transactions.read(lambda session, _: session.scalars(select(Job)).all())
    assert (job.kind, job.payload, job.run_at) == (SETTLE, {"check_id": str(check.id)}, START + timedelta(seconds=60))


def test_every_check_has_its_event_and_a_number_of_its_own(desk: Desk) -> None:
    checks = [desk.start().check, desk.start().check]
    assert checks[0].out_seq_no != checks[1].out_seq_no
    born = desk.transactions.read(
        lambda session, _: session.scalar(
            select(func.count())
            .select_from(StateEvent)
            .where(StateEvent.to_status == "pending", StateEvent.record_id.in_([check.id for check in checks]))
        )
    )
    assert born == 2
    assert (
        desk.transactions.read(lambda session, _: session.scalar(select(func.count()).select_from(IdentityCheck))) == 2
    )
