"""One call of a platform's API from arrival to answer: log, admission, scripted fault, action, answer.

The order is the point. The call is logged first, so that it is seen even if nobody is answered. Who may not speak uses
up no fault. What a fault spoils before the action leaves no trace; what it spoils after the action has been committed.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from flask import Response, request

from sandbox import faults
from sandbox.context import Sandbox
from sandbox.faults import SIGNATURE_KINDS, TRANSPORT_KINDS, Fault
from sandbox.server import TRANSPORT, Transport

Caller = TypeVar("Caller")
Result = Mapping[str, Any] | None
CALL_KINDS = TRANSPORT_KINDS | SIGNATURE_KINDS


@dataclass(frozen=True)
class Answer:
    """What the platform says."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The platform declines; carries the answer that says so."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Dropped(Exception):
    """The connection ends without an answer."""


class Exchange(ABC, Generic[Caller]):
    """One call. A subclass says who may speak, how success and failure look, and how answers are signed."""

    kinds = CALL_KINDS

    def __init__(self, sandbox: Sandbox, operation: str, number: str | None, facts: Mapping[str, str | None]) -> None:
        self.sandbox = sandbox
        self.operation = operation
        self.number = number
        self.facts = dict(facts)
        self.caller_name: str | None = None

    @abstractmethod
    def admit(self) -> Caller:
        """Check who is calling; sets `caller_name` and the facts a fault may match. Raises: Refusal."""

    @abstractmethod
    def success(self, result: Result) -> Answer:
        """The answer for a result."""

    @abstractmethod
    def failure(self, fault: Fault) -> Answer:
        """The answer of the scripted faults `error`, `error_after` and `rate_limited`."""

    def sign(self, answer: Answer, fault: Fault | None) -> Answer:
        """Add what proves the answer; platforms that sign nothing leave it as it is."""
        return answer

    def serve(self, act: Callable[[Caller], Result]) -> Response:
        """Run the call and build the HTTP answer."""
        call = self.sandbox.journal.arrived(self.operation, request.method, request.path, self.number)
        try:
            answer = self._run(act)
        except Dropped:
            self.sandbox.journal.answered(call, self.caller_name, "dropped")
            request.environ[TRANSPORT] = Transport("drop")
            return Response(status=500)
        self.sandbox.journal.answered(call, self.caller_name, str(answer.status))
        return Response(answer.body, answer.status, dict(answer.headers))

    def _run(self, act: Callable[[Caller], Result]) -> Answer:
        fault: Fault | None = None
        try:
            caller = self.admit()
            with self.sandbox.store.transaction() as tx:
                fault = faults.take(tx, self.operation, self.facts, self.kinds)
            self.before(fault)
            answer = self.success(act(caller))
        except Refusal as refused:
            answer = refused.answer
        return self._after(answer, fault)

    def before(self, fault: Fault | None) -> None:
        """What a fault does before the action. Raises: Dropped, Refusal."""
        match fault:
            case Fault("delay", {"when": "after"}):
                return
            case Fault("delay"):
                self.sandbox.pause(fault.seconds(1))
            case Fault("drop_before"):
                raise Dropped
            case Fault("error" | "rate_limited"):
                raise Refusal(self.failure(fault))

    def _after(self, answer: Answer, fault: Fault | None) -> Answer:
        match fault:
            case Fault("delay", {"when": "after"}):
                self.sandbox.pause(fault.seconds(1))
            case Fault("drop_after"):
                raise Dropped
            case Fault("error_after"):
                return self.sign(self.failure(fault), None)
            case Fault("cut"):
                request.environ[TRANSPORT] = Transport("cut")
            case Fault("slow_body"):
                request.environ[TRANSPORT] = Transport("slow", fault.seconds(1))
        if fault is not None and fault.kind == "garbled":
            return self.garble(answer, resign=bool(fault.params.get("resign")))
        return self.sign(answer, fault)

    def garble(self, answer: Answer, *, resign: bool) -> Answer:
        """Garbled on the way, so that a signature fails as well; with `resign` the platform signs the rubbish."""
        garbled = replace(answer, body=garble(answer.body))
        return replace(self.sign(garbled if resign else answer, None), body=garbled.body)


def garble(body: bytes) -> bytes:
    """Bytes that are neither JSON nor UTF-8."""
    return body[: len(body) // 2] + b"\xff\xfe{\x00" + body[:8]


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one: for facts and logs, which must not fail on a bad body."""
    try:
        value = json.loads(body)
        compact_json(value)  # half a surrogate pair can be parsed, but neither written down nor sent
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def text_or_none(value: object) -> str | None:
    """A string as it is, anything else as None."""
    return value if isinstance(value, str) else None


def compact_json(value: object) -> bytes:
    """UTF-8 without escapes or blanks: the bytes that are signed are the bytes that are sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
