"""Whatever two accounts hold: either a join would pass a limit and is refused, or it keeps every promise, and undoing
it gives back exactly what each brought and what hangs on that since."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from factories import (
    make_account,
    make_department,
    make_dependent,
    make_hospital,
    make_identity,
    make_login,
    make_person,
    make_schedule,
)
from fakes import START
from harness import REQUEST
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import agree
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.book import Wish, book_appointment
from core.identity.join import in_order_of_age, join_by_union_id, undo_join
from core.identity.join_offers import Viewer
from core.invariants import check_invariants
from models import Base
from models.account import Account, LoginSession, Provider, Purpose
from models.account_join import AccountJoin
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.database import Database
from models.errors import DomainError
from models.person import Dependent, PersonIdentifier, Relationship
from models.sealing import Vault

MOST_OTHERS = 5
PERSONS = 5


@dataclass(frozen=True)
class Whom:
    """A dependent: which of a few persons, how well proven, and what is booked for them."""

    person: int
    is_self: bool
    level: int
    booked: list[PayMode]
    is_default: bool


@dataclass(frozen=True)
class Story:
    """What each account holds, what is booked and who is added while they are one (oneself?), which one is older."""

    here: list[Whom]
    there: list[Whom]
    since: list[tuple[int, PayMode]]
    added: list[tuple[int, bool]]
    here_is_older: bool
    holds: int


whoms = st.lists(
    st.builds(
        Whom,
        person=st.integers(0, PERSONS - 1),
        is_self=st.booleans(),
        level=st.integers(0, 2),
        booked=st.lists(st.sampled_from(PayMode), max_size=2),
        is_default=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda whom: whom.person,
)
stories = st.builds(
    Story,
    here=whoms,
    there=whoms,
    since=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(PayMode)), max_size=3),
    added=st.lists(st.tuples(st.integers(0, PERSONS - 1), st.booleans()), max_size=2),
    here_is_older=st.booleans(),
    holds=st.sampled_from([1, 2, 2, 9]),
)


@dataclass
class Scene:
    session: Session
    vault: Vault
    story: Story
    days: int = 0
    persons: list[PersonIdentifier] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.persons = [make_person(self.session, self.vault) for _ in range(PERSONS)]
        self.department = make_department(self.session, make_hospital(self.session))
        older, younger = START - timedelta(days=2), START - timedelta(days=1)
        ages = (older, younger) if self.story.here_is_older else (younger, older)
        self.here = self._account(Provider.WECHAT_MINIAPP, self.story.here, made=ages[0])
        self.there = self._account(Provider.WECHAT_OFFICIAL, self.story.there, made=ages[1])

    def _account(self, provider: Provider, whoms: list[Whom], *, made: object) -> Account:
        account = make_account(self.session, now=made)  # type: ignore[arg-type]
        make_login(self.session, account, make_identity(self.session, self.vault, account, provider=provider))
        agree(self.session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY)
        for at, whom in enumerate(whoms):
            first_self = whom.is_self and not any(one.is_self for one in whoms[:at])
            dependent = make_dependent(
                self.session,
                self.vault,
                account,
                identifier=self.persons[whom.person],
                relationship=Relationship.SELF if first_self else Relationship.OTHER,
                level=whom.level,
                birth_date=date(1990, 1, 1),
                is_default=whom.is_default and not any(one.is_default for one in whoms[:at]),
            )
            agree(self.session, account.id, Purpose.FACE, dependent_id=dependent.id)
            for pay in whom.booked:
                self.book(dependent, pay)
        return account

    def book(self, dependent: Dependent, pay: PayMode) -> None:
        """On a day of its own; what the rules refuse is not booked."""
        self.days += 1
        terms = {"min_identity_level": 0, "max_open_holds_account": self.story.holds, "max_open_holds_person": 9}
        day = START.date() + timedelta(days=3 + self.days)
        schedule = make_schedule(self.session, self.department, numbers=2, visit_date=day, terms=terms)
        wish = Wish(schedule.id, dependent.id, pay)
        with suppress(DomainError), self.session.begin_nested():
            book_appointment(
                self.session, account_id=dependent.account_id, wish=wish, now=START, cause=REQUEST, vault=self.vault
            )

    def add(self, account: Account, person: int, *, is_self: bool) -> None:
        """Unless the rules refuse it."""
        live, identifier = self.live(account), self.persons[person]
        if any(one.person_id == identifier.person_id for one in live):
            return
        if is_self and any(one.relationship_ is Relationship.SELF for one in live):
            return
        relationship = Relationship.SELF if is_self else Relationship.OTHER
        made = {"identifier": identifier, "relationship": relationship, "is_default": not live}
        make_dependent(self.session, self.vault, account, **made)

    def live(self, account: Account) -> list[Dependent]:
        query = select(Dependent).where(Dependent.account_id == account.id, Dependent.archived_at.is_(None))
        return list(self.session.scalars(query.order_by(Dependent.id)))

    def rows(self) -> dict[str, list[str]]:
        self.session.flush()
        return {
            table.name: sorted(repr(row) for row in self.session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in ("account_joins", "state_events")
        }

    def would_pass_a_limit(self) -> bool:
        """Said once more, from the story's side."""
        live = [self.live(account) for account in (self.here, self.there)]
        selves = {one.person_id for side in live for one in side if one.relationship_ is Relationship.SELF}
        others = {one.person_id for side in live for one in side if one.relationship_ is not Relationship.SELF}
        unpaid = [self._unpaid(account) for account in (self.here, self.there)]
        return len(selves) > 1 or len(others) > MOST_OTHERS or (min(unpaid) > 0 and sum(unpaid) > self.story.holds)

    def join(self) -> str | None:
        """Why they stay apart, if they do."""
        return join_by_union_id(self.session, self.here, self.there, vault=self.vault, now=START, cause=REQUEST)

    def _unpaid(self, account: Account) -> int:
        query = select(Appointment.id).where(
            Appointment.account_id == account.id, Appointment.status == AppointmentStatus.PENDING
        )
        return len(self.session.scalars(query).all())


@pytest.mark.parametrize(
    ("database", "examples"), [("sqlite", 60), ("postgres", 20)], indirect=["database"], ids=["sqlite", "postgres"]
)
def test_a_join_keeps_every_promise_and_undoing_it_gives_everything_back(
    database: Database, vault: Vault, examples: int
) -> None:
    seen = {"joined": 0, "refused": 0}

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(stories)
    def check(story: Story) -> None:
        with database.read() as session:  # so that it is all rolled back
            scene = Scene(session, vault, story)
            before, too_much = scene.rows(), scene.would_pass_a_limit()
            apart = scene.join()
            assert (apart is not None) is too_much
            if apart is not None:
                assert scene.rows() == before
                seen["refused"] += 1
                return
            seen["joined"] += 1
            assert check_invariants(session, now=START) == []
            kept, emptied = in_order_of_age(scene.here, scene.there)
            assert_whole(scene, kept, emptied)
            live = scene.live(kept)
            for number, pay in story.since:
                if live:
                    scene.book(live[number % len(live)], pay)
            for person, is_self in story.added:
                scene.add(kept, person, is_self=is_self)
            undo(scene, kept)
            assert check_invariants(session, now=START) == []
            assert_given_back(scene, before)

    check()
    assert min(seen.values()) >= 3


def assert_whole(scene: Scene, kept: Account, emptied: Account) -> None:
    """Each person once, one default where there is anybody, and nothing left behind."""
    live = scene.live(kept)
    assert len({one.person_id for one in live}) == len(live)
    assert sum(one.is_default for one in live) == bool(live)
    assert scene.live(emptied) == []


def undo(scene: Scene, kept: Account) -> None:
    session = scene.session
    (join_id,) = session.scalars(select(AccountJoin.id))
    login = session.scalars(select(LoginSession).where(LoginSession.account_id == kept.id)).first()
    assert login is not None
    viewer = Viewer(kept.id, login.platform_identity_id, login.id)
    undo_join(session, viewer=viewer, join_id=join_id, vault=scene.vault, now=START, cause=REQUEST)


def assert_given_back(scene: Scene, before: dict[str, list[str]]) -> None:
    after = scene.rows()
    appointments = scene.session.execute(
        select(Appointment.account_id, Dependent.account_id).join(Dependent, Dependent.id == Appointment.dependent_id)
    )
    assert all(account_id == owner for account_id, owner in appointments)
    if not scene.story.since and not scene.story.added:
        had_default = all(
            any(whom.is_default for whom in whoms) or not whoms for whoms in (scene.story.here, scene.story.there)
        )
        tables = set(after) - (set() if had_default else {"dependents"})  # whoever had no default has one now
        assert {name: after[name] for name in tables} == {name: before[name] for name in tables}
    else:
        brought = {name: set(before[name]) for name in ("platform_identities", "login_sessions", "consents")}
        assert {name: set(after[name]) for name in brought} == brought
