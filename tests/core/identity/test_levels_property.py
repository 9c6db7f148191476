"""Whatever is begun, answered, refused or left alone: nobody is surer than the checks that passed, and none is lost."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from itertools import count

from fakes import ManualClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import CAUSE, Desk, FakeMatcher, agree, make_desk
from sqlalchemy import select

from core.identity.on_site import verify_on_site
from core.ports import FaceOutcome, FaceResult, MatchAnswer, NameMatch, ProviderUnavailable
from core.refusals import CheckLimit
from core.transactions import Transactions
from models.account import Purpose
from models.identity_check import IdentityCheck, IdentityCheckStatus, IdentityMethod
from models.person import IdentityStatus
from models.sealing import Vault

MATCHES = [*(MatchAnswer(one) for one in NameMatch), ProviderUnavailable("down")]
FACES = [*(FaceResult(one, "other") for one in FaceOutcome), ProviderUnavailable("down")]

days = count()
"""So that each story is about somebody else."""

steps = st.one_of(
    st.tuples(st.just("match"), st.sampled_from(MATCHES)),
    st.tuples(st.just("face"), st.sampled_from(FACES)),
    st.tuples(st.just("ask"), st.sampled_from(FACES)),
    st.tuples(st.just("desk"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([timedelta(minutes=30), timedelta(hours=2), timedelta(days=1)])),
)


def take(desk: Desk, clock: ManualClock, step: str, given_by: object) -> None:
    matcher = desk.adapters.matcher
    assert matcher is not None
    if step == "match":
        matcher.answers = [given_by]  # type: ignore[list-item]
        desk.start(IdentityMethod.NAME_MATCH)
    elif step == "face":
        desk.start()
    elif step == "ask":
        for check in checks(desk):
            desk.verifier.answers = [given_by]  # type: ignore[list-item]
            matcher.answers = []
            desk.complete(check.id)
    elif step == "desk":
        desk.transactions.write(
            lambda session, now: verify_on_site(
                session, dependent_id=desk.dependent_id, operator="desk-1", now=now, cause=CAUSE
            )
        )
    else:
        clock.advance(given_by)  # type: ignore[arg-type]


def checks(desk: Desk) -> list[IdentityCheck]:
    query = select(IdentityCheck).where(IdentityCheck.dependent_id == desk.dependent_id)
    return desk.transactions.read(lambda session, _: list(session.scalars(query)))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, max_size=8))
def test_the_level_is_what_passed_and_never_falls(
    transactions: Transactions, vault: Vault, clock: ManualClock, story: list[tuple[str, object]]
) -> None:
    desk = make_desk(transactions, vault, birth=date(1990, 1, 1) + timedelta(days=next(days)))
    desk.adapters.matcher = FakeMatcher()
    transactions.write(lambda session, now: agree(session, desk.account_id, Purpose.SENSITIVE_IDENTITY, now=now))
    level = 0
    for step, given_by in story:
        with suppress(CheckLimit):
            take(desk, clock, step, given_by)
        dependent, passed = (
            desk.dependent(),
            [one.level for one in checks(desk) if one.status is IdentityCheckStatus.PASSED],
        )
        assert dependent.identity_level == max([0, *passed]) >= level
        assert (dependent.identity_status is IdentityStatus.VERIFIED) is bool(passed)
        level = dependent.identity_level
