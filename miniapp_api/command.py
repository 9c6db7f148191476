"""The command helper and `reading()`: transaction, clock, idempotency, reply. Every route answers through here.

begin → take the key's row → use case → flush → dump the reply and store it sealed with the row → commit → send.
Nothing is sent before the commit has returned without a warning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from flask import Response, g, request
from marshmallow import Schema
from sqlalchemy.orm import Session

from core.dependents.granted import Use, note_uses
from core.idempotency import (
    KeyedRequest,
    StoredReply,
    keep_reply,
    lease_key,
    regain_key,
    release_key,
    take_key,
)
from core.identity.caller import Caller
from core.identity.own import require_own_login
from miniapp_api.auth import caller_or_none, current_caller
from miniapp_api.services import services
from models.base import canonical_json
from models.errors import DomainError
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind
from schemas.masked import opened_with

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
I = TypeVar("I", bound="Intent")  # noqa: E741
O = TypeVar("O")  # noqa: E741

_KEY = re.compile(r"[\x21-\x7e]{16,128}")


class IdempotencyKeyRequired(DomainError):
    """The header is missing, or is not 16 to 128 visible ASCII characters."""

    code = "idempotency_key_required"


@dataclass(frozen=True)
class Command:
    """One transaction of one caller: the session, the instant, and what stands behind every move in it."""

    session: Session
    now: datetime
    cause: Cause
    vault: Vault
    login: Caller | None

    @property
    def caller(self) -> Caller:
        """Who is logged in. Only on routes that ask for a login."""
        if self.login is None:
            raise LookupError("this route has no login")
        return self.login


class Intent(Protocol):
    """What the first transaction decided. `step` finds it again after a crash."""

    @property
    def step(self) -> str: ...


@dataclass(frozen=True)
class Unsettled:
    """`finish` kept what it knows, but there is no success to reply with yet: the same key may ask again at once."""

    error: Exception


class TwoStep(Protocol[I, O, R_co]):
    """A keyed command that calls a platform between two transactions."""

    def begin(self, command: Command) -> I:
        """Write the intent, with every number the call needs."""

    def resume(self, command: Command, step: str) -> I:
        """Find the intent of a command that was cut off."""

    def call(self, intent: I) -> O:
        """Call the platform, outside of any transaction. An error let out means that nothing is known."""

    def finish(self, command: Command, intent: I, outcome: O) -> R_co | Unsettled:
        """Write the answer and return what is replied."""


def run_command(
    step: Callable[[Command], R],
    schema: Schema | None,
    *,
    status: int = 200,
    keyed: bool = False,
    moves_login: bool = False,
    planned_once: bool = False,
) -> Response:
    """Run `step` as one transaction and reply with its result dumped by `schema` (nothing where that is None). A step
    that `moves_login` ends the caller's login or leads it to another account, and has looked at it by itself.
    `planned_once` as of `Database.write`.

    Raises: IdempotencyKeyRequired, RequestInProgress, IdempotencyKeyReused, what `step` raises, Overloaded,
    OutcomeUnknown, Unauthenticated."""
    workbench, wanted = services().workbench, _keyed_request() if keyed else None

    def once(session: Session, now: datetime) -> StoredReply:
        row = None if wanted is None else take_key(session, workbench.vault, wanted, now=now)
        if isinstance(row, StoredReply):
            return row
        result = step(_command(session, now, workbench.vault))
        session.flush()
        reply = StoredReply(status, dump(schema, result))
        if row is not None:
            keep_reply(row, workbench.vault, reply, now=now, caller=None if moves_login else current_caller())
        elif not moves_login:
            _refuse_if_moved(session)
        return reply

    return respond(workbench.transactions.write(once, planned_once=planned_once))


def run_two_step(plan: TwoStep[I, O, R], schema: Schema, *, status: int = 201) -> Response:
    """Intent and key in one transaction, the call outside, its answer and the reply in a second one.

    Raises: as run_command, and what `plan.call` or an Unsettled outcome raises."""
    return _TwoStepRun(plan, schema, status).respond()


@dataclass(frozen=True)
class _Lease:
    key_id: UUID
    until: datetime


class _TwoStepRun(Generic[I, O, R]):
    def __init__(self, plan: TwoStep[I, O, R], schema: Schema, status: int) -> None:
        self.plan, self.schema, self.status = plan, schema, status
        self.workbench = services().workbench
        self.wanted = _keyed_request()

    def respond(self) -> Response:
        begun = self.workbench.transactions.write(self._begin)
        if isinstance(begun, StoredReply):
            return respond(begun)
        lease, intent = begun
        try:
            outcome = self.plan.call(intent)
        except Exception:
            self.workbench.transactions.write(lambda session, now: self._give_up(session, now, lease))
            raise
        ended = self.workbench.transactions.write(
            lambda session, now: self._finish(_command(session, now, self.workbench.vault), lease, intent, outcome)
        )
        if isinstance(ended, Unsettled):
            raise ended.error
        return respond(ended)

    def _begin(self, session: Session, now: datetime) -> StoredReply | tuple[_Lease, I]:
        row = take_key(session, self.workbench.vault, self.wanted, now=now)
        if isinstance(row, StoredReply):
            return row
        command = _command(session, now, self.workbench.vault)
        intent = self.plan.begin(command) if row.step is None else self.plan.resume(command, row.step)
        session.flush()
        _refuse_if_moved(session)
        return _Lease(row.id, lease_key(row, step=intent.step, now=now)), intent

    def _give_up(self, session: Session, now: datetime, lease: _Lease) -> None:
        row = regain_key(session, self.workbench.vault, lease.key_id, leased_until=lease.until)
        if not isinstance(row, StoredReply):
            release_key(row, now=now)

    def _finish(self, command: Command, lease: _Lease, intent: I, outcome: O) -> StoredReply | Unsettled:
        row = regain_key(command.session, command.vault, lease.key_id, leased_until=lease.until)
        if isinstance(row, StoredReply):
            return row
        result = self.plan.finish(command, intent, outcome)
        command.session.flush()
        if isinstance(result, Unsettled):
            _refuse_if_moved(command.session)
            release_key(row, now=command.now)
            return result
        reply = StoredReply(self.status, dump(self.schema, result))
        keep_reply(row, command.vault, reply, now=command.now, caller=current_caller())
        return reply


def reading(look: Callable[[Session, datetime], Any], schema: Schema, *, status: int = 200) -> Response:
    """Look without a write lock and reply.

    Raises: what `look` raises, Overloaded."""
    transactions = services().workbench.transactions
    body = transactions.read(lambda session, now: dump(schema, look(session, now)))
    return respond(StoredReply(status, body))


def reading_and_noting(look: Callable[[Session, datetime], tuple[Any, list[Use]]], schema: Schema) -> Response:
    """As `reading`, where what is shown may be another account's, under a grant: that it was is written down for the
    granter before it is sent. One's own costs no write.

    Raises: as `reading`, OutcomeUnknown."""
    transactions = services().workbench.transactions

    def looked(session: Session, now: datetime) -> tuple[bytes, list[Use]]:
        result, uses = look(session, now)
        return dump(schema, result), uses

    body, uses = transactions.read(looked)
    if uses:
        transactions.write(lambda session, now: note_uses(session, uses, now=now))
    return respond(StoredReply(200, body))


def dump(schema: Schema | None, result: Any) -> bytes:
    """The reply's bytes; the same bytes are stored and sent."""
    if schema is None:
        return b""
    with opened_with(services().workbench.vault):
        told = schema.dump(result)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def respond(reply: StoredReply) -> Response:
    response = Response(reply.body, status=reply.status, mimetype="application/json")
    if not reply.body:
        del response.headers["Content-Type"]
    return response


def request_cause() -> Cause:
    """This request, as the cause of what it moves."""
    caller = caller_or_none()
    return Cause(
        actor=Actor.SYSTEM if caller is None else Actor.ACCOUNT,
        kind=CauseKind.REQUEST,
        id=str(g.get("request_id", "-")),
        actor_id=None if caller is None else str(caller.account_id),
    )


def _command(session: Session, now: datetime, vault: Vault) -> Command:
    return Command(session=session, now=now, cause=request_cause(), vault=vault, login=caller_or_none())


def _refuse_if_moved(session: Session) -> None:
    """The caller was looked up before the body was read, and slow bodies take minutes. Asked with every lock of the
    step held, so that what was done is done by whom it was done for. Raises: Unauthenticated, Overloaded."""
    caller = caller_or_none()
    if caller is not None:
        require_own_login(session, login_id=caller.session_id, account_id=caller.account_id)


def is_key(sent: str) -> bool:
    """Whether it will do as an idempotency key."""
    return _KEY.fullmatch(sent) is not None


def _keyed_request() -> KeyedRequest:
    key = request.headers.get("Idempotency-Key", "")
    if not is_key(key):
        raise IdempotencyKeyRequired()
    body = canonical_json(request.get_json(silent=True) or {}).decode()
    return KeyedRequest(current_caller().account_id, key, f"{request.method} {request.path}\n{body}")
