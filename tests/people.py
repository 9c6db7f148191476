"""What the tests about people share: made-up documents, stand-ins for a platform, a caller's consents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from factories import make_account, make_dependent, make_identity, make_person
from fakes import START
from key_rings import new_ring, with_newer
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.dependents.documents import check_character
from core.identity.checks import BegunCheck, CheckRequest, StartIntent, ask_start, begin_check, store_start
from core.identity.completion import CheckState, ask_result, complete_check, look_up_question
from core.identity.consent_texts import current_version
from core.identity.consents import record_consent
from core.identity.methods import Ways
from core.identity.opening import SETTLE
from core.jobs.queue import LeasedJob
from core.ports import (
    FaceOutcome,
    FaceResult,
    FaceStart,
    FaceSubject,
    LoginPlatform,
    MatchAnswer,
    MatchSubject,
    NameMatch,
    PlatformUser,
    SmsGateway,
)
from core.registry import NotConfigured
from core.tickets import Tickets
from core.transactions import Transactions
from core.workbench import Workbench
from models.account import PlatformIdentity, Purpose
from models.base import new_id
from models.identity_check import IdentityCheck, IdentityMethod
from models.person import Dependent, IdentityLevel
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind

CAUSE = Cause(actor=Actor.ACCOUNT, kind=CauseKind.REQUEST, id="test-request")
PROVIDER, APP = "wechat_miniapp", "main"


def resident_id(*, birth: date = date(1990, 1, 1), order: int = 997, area: str = "330102") -> str:
    """A number with a true checksum. An odd `order` is a man's; 996 to 999 were never issued for such births."""
    head = f"{area}{birth:%Y%m%d}{order:03d}"
    return head + check_character(head)


def rotated(vault: Vault) -> Vault:
    """The same keys, and new ones that are used from now on."""
    return Vault(sealing=with_newer(vault.sealing, sealing=True), hashing=with_newer(vault.hashing))


def a_login_of(session: Session, account_id: UUID) -> UUID:
    """An identity of the account; one of nobody's where it has none."""
    query = select(PlatformIdentity.id).where(PlatformIdentity.account_id == account_id)
    return session.scalars(query).first() or new_id()


def agree(
    session: Session, account_id: UUID, *purposes: Purpose, dependent_id: UUID | None = None, now: datetime = START
) -> None:
    """Consent to the texts in force."""
    for purpose in purposes:
        record_consent(
            session,
            account_id=account_id,
            purpose=purpose,
            version=current_version(purpose),
            granted=True,
            dependent_id=dependent_id,
            provider=PROVIDER,
            identity_id=a_login_of(session, account_id),
            now=now,
            cause=CAUSE,
        )
    session.flush()


@dataclass
class FakeLogin:
    """Port LoginPlatform: each code names its user; what is not there is refused as the test says."""

    users: dict[str, PlatformUser] = field(default_factory=dict)
    failure: Exception | None = None
    provider: str = PROVIDER
    app: str = APP

    def exchange_code(self, code: str) -> PlatformUser:
        if self.failure is not None:
            raise self.failure
        return self.users[code]


@dataclass
class FakeVerifier:
    """Port FaceVerifier. `answers` are given in turn; `ask` is called instead where a test wants to look on."""

    method: str = "wechat_face"
    app: str = APP
    accepted_id_types: frozenset[str] = frozenset({"resident_id"})
    start_failures: list[Exception] = field(default_factory=list)
    answers: list[FaceResult | Exception] = field(default_factory=list)
    started: list[tuple[str, FaceSubject]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    on_call: Callable[[], Any] = lambda: None

    def start(self, *, out_seq_no: str, subject: FaceSubject) -> FaceStart:
        self.on_call()
        self.started.append((out_seq_no, subject))
        if self.start_failures:
            raise self.start_failures.pop(0)
        reference = f"verify-{len(self.started)}-{out_seq_no}"
        return FaceStart(reference, f"evidence-of-{out_seq_no}", timedelta(hours=1), {"verifyId": reference})

    def read_result(self, *, reference: str, out_seq_no: str, evidence: str, open_id: str) -> FaceResult:
        self.on_call()
        self.asked.append({"reference": reference, "out_seq_no": out_seq_no, "evidence": evidence, "open_id": open_id})
        answer = self.answers.pop(0) if self.answers else FaceResult(FaceOutcome.PENDING)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakeMatcher:
    """Port NameMatcher. `answers` are given in turn; without one, name and number belong together."""

    provider: str = "register"
    accepted_id_types: frozenset[str] = frozenset({"resident_id"})
    answers: list[MatchAnswer | Exception] = field(default_factory=list)
    asked: list[tuple[str, MatchSubject]] = field(default_factory=list)

    def match(self, subject: MatchSubject, *, reference: str) -> MatchAnswer:
        self.asked.append((reference, subject))
        answer = self.answers.pop(0) if self.answers else MatchAnswer(NameMatch.MATCHED, "request-1")
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class PeopleAdapters:
    """Port Adapters, as far as people are concerned."""

    logins: list[FakeLogin] = field(default_factory=list)
    verifiers: list[FakeVerifier] = field(default_factory=list)

    def login(self, provider: str, app: str | None) -> LoginPlatform:
        for login in self.logins:
            if login.provider == provider and app in (None, login.app):
                return login
        raise NotConfigured(provider)

    matcher: FakeMatcher | None = None

    def ways(self) -> Ways:
        return Ways(faces=self.verifiers, matcher=self.matcher)

    def name_matcher(self) -> FakeMatcher | None:
        return self.matcher

    def sms_gateways(self) -> list[SmsGateway]:
        return []

    def face_verifiers(self, provider: str, app: str) -> list[FakeVerifier]:
        return [one for one in self.verifiers if provider == PROVIDER and one.app == app]

    def face_verifier(self, method: str, app: str) -> FakeVerifier:
        for one in self.verifiers:
            if (one.method, one.app) == (method, app):
                return one
        raise NotConfigured(method)

    def gateway(self, *_: Any, **__: Any) -> Any:
        raise NotConfigured("gateway")

    gateway_of = reader = gateway


@dataclass
class Desk:
    """One account with one dependent, and the steps of a check as a route would take them."""

    transactions: Transactions
    vault: Vault
    verifier: FakeVerifier
    adapters: PeopleAdapters
    account_id: UUID
    identity_id: UUID
    dependent_id: UUID
    open_id: str

    def request(self, method: IdentityMethod = IdentityMethod.WECHAT_FACE, **more: Any) -> CheckRequest:
        given: dict[str, Any] = {
            "account_id": self.account_id,
            "identity_id": self.identity_id,
            "dependent_id": self.dependent_id,
            "ways": self.adapters.ways(),
        }
        return CheckRequest(method=method, **(given | more))

    def begin(self, method: IdentityMethod = IdentityMethod.WECHAT_FACE, **more: Any) -> StartIntent:
        request = self.request(method, **more)
        return self.transactions.write(
            lambda session, now: begin_check(session, request=request, vault=self.vault, now=now, cause=CAUSE)
        )

    def store(self, intent: StartIntent, outcome: Any) -> BegunCheck:
        return self.transactions.write(
            lambda session, now: store_start(
                session, intent=intent, outcome=outcome, vault=self.vault, now=now, cause=CAUSE
            )
        )

    def start(self, method: IdentityMethod = IdentityMethod.WECHAT_FACE) -> BegunCheck:
        intent = self.begin(method)
        return self.store(intent, ask_start(self.adapters, intent))

    def complete(self, check_id: UUID) -> CheckState:
        question = self.transactions.write(
            lambda session, now: look_up_question(
                session, account_id=self.account_id, check_id=check_id, vault=self.vault, now=now
            )
        )
        answer = ask_result(self.adapters, question)
        return self.transactions.write(
            lambda session, now: complete_check(session, check_id=check_id, answer=answer, now=now, cause=CAUSE)
        )

    def check(self, check_id: UUID) -> IdentityCheck:
        return self.transactions.read(lambda session, _: session.get_one(IdentityCheck, check_id))

    def dependent(self) -> Dependent:
        return self.transactions.read(lambda session, _: session.get_one(Dependent, self.dependent_id))


def workbench(desk: Desk) -> Workbench:
    return Workbench(desk.transactions, desk.vault, Tickets(new_ring()), cast(Any, desk.adapters))


def job_of(check_id: UUID) -> LeasedJob:
    return LeasedJob(new_id(), SETTLE, {"check_id": str(check_id)}, 1, 1)


def make_desk(
    transactions: Transactions, vault: Vault, *, birth: date = date(1990, 1, 1), order: int = 997, face: bool = True,
    documents: bool = True,
) -> Desk:  # fmt: skip
    def make(session: Session, now: datetime) -> tuple[UUID, UUID, UUID, str]:
        account = make_account(session, now=now)
        identity = make_identity(session, vault, account, now=now)
        dependent = make_dependent(
            session,
            vault,
            account,
            identifier=make_person(session, vault, id_number=resident_id(birth=birth, order=order)),
            level=IdentityLevel.TYPED,
            name="测试甲",
            birth_date=birth,
            now=now,
        )
        agree(session, account.id, Purpose.SERVICE, now=now)
        if documents:
            agree(session, account.id, Purpose.SENSITIVE_IDENTITY, now=now)
        if face:
            agree(session, account.id, Purpose.FACE, dependent_id=dependent.id, now=now)
        return account.id, identity.id, dependent.id, identity.subject(vault)

    verifier = FakeVerifier()
    return Desk(transactions, vault, verifier, PeopleAdapters(verifiers=[verifier]), *transactions.write(make))
