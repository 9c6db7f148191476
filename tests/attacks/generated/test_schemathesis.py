"""schemathesis reads the document and asks whatever it allows and forbids: every check it has, on every operation.

In this process, over a database of either kind, by somebody who is logged in and owns one of everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from attacks.generated.test_document import operation_of
from attacks.generated.world import ENDS_ALL, Settled, World, new_key
from flask import Response
from schemathesis.config import PositiveDataAcceptanceConfig
from schemathesis.engine import events, from_schema
from schemathesis.transport.wsgi import WSGITransport
from sqlalchemy import text

from migrations import head
from miniapp_api.app import BLUEPRINTS

NAMES = sorted(one.name for blueprint in BLUEPRINTS for one in blueprint.operations)
EXAMPLES, STEPS = 8, 5
ACCEPTED = ["2xx", "3xx", "401", "404", "409"]
KEY = re.compile(r"[!-~]{16,128}", re.ASCII)
BEYOND_SHAPE = {
    "appeal_strike": "words, not blanks alone",
    "change_dependent": "a phone in use, an area code that there is; who somebody is never changes",
    "complete_identity_check": "numbers that every reader of JSON keeps exact, however free the object is",
    "create_account_grant": "oneself, and an end that lies ahead and within a year",
    "create_bundle": "numbers of one half day of one hospital, each dependent once",
    "create_consent": "the versions of the texts, and which purposes name a dependent",
    "create_dependent": "a document's checksum and what it says of its holder; phone and area code as above",
    "create_hospital_card": "4 to 64 letters and digits of a card, which no hyphen is",
    "create_identity_check": "the checks that are open to this dependent",
    "create_session": "the apps that are configured",
    "create_waitlist_entry": "days to come, the first one first, at most 90; each dependent once",
    "get_department_schedules": "at most 31 days, the first one first",
    "get_page_signature": "an address of ours",
    "give_agreement": "the version of the text, and a code with its way alone",
    "give_dependent_document": "a document's checksum, and that it is of the same day of birth and sex",
    "open_payment": "a channel that the caller's app can pay by",
    "send_phone_code": "a phone in use, of the mainland",
    "set_account_phone": "one way or the other, and what the wallet of this login takes as a proof; a phone in use",
}
"""What may be refused with 422 though it fits the schema, and the rule that no schema can say. Cursors are another."""
COUNTED = {"give_agreement", "send_phone_code", "set_account_phone"}
"""Where codes are sent or tried, which is counted: enough examples in a row may be answered with 429."""


@pytest.fixture(scope="module", autouse=True)
def migrated(world: World) -> None:
    """So that /readyz is ready."""
    with world.database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head()})


@pytest.fixture(scope="module")
def settled(world: World) -> Settled:
    return world.settle()


@pytest.fixture(autouse=True)
def _socket_settings_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it asks again without credentials, 4.32.5 hands settings for a socket to werkzeug, which knows none."""
    send = WSGITransport.send

    def without(self: WSGITransport, case: Any, **given: Any) -> Any:
        kept = {name: value for name, value in given.items() if name not in {"max_redirects", "verify", "cert"}}
        return send(self, case, **kept)

    monkeypatch.setattr(WSGITransport, "send", without)


def schema_of(world: World, token: Callable[[], str]) -> Any:
    """The served document, asked as whoever holds the token."""
    schema: Any = schemathesis.openapi.from_wsgi("/openapi.json", world.app)
    project = schema.config
    project.generation.allow_x00 = False  # in a key of a free object it is no JSON of ours; test_input asks for it
    project.generation.deterministic = True
    project.generation.database = "none"
    project.generation.max_examples = EXAMPLES
    project.phases.stateful.max_steps = STEPS

    @schema.auth(refresh_interval=None)
    class Login:
        def get(self, _case: Any, _context: Any) -> str:
            return token()

        def set(self, case: Any, told: str, _context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {told}"}
            if KEY.fullmatch(case.headers.get("Idempotency-Key", "")):
                case.headers["Idempotency-Key"] = new_key()  # a second body under one key would be refused

    return schema


def findings(schema: Any) -> Iterator[str]:
    """What no check should have found, and what kept one from looking."""
    asked = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.info}"
        elif isinstance(event, events.FatalError):
            yield f"{event.exception}"
        elif isinstance(event, events.ScenarioFinished):
            asked += len(event.recorder.cases)
            yield from failures(event.recorder)
    assert asked > 0


def failures(recorder: Any) -> Iterator[str]:
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                yield f"{check.name}: {failure.title}\n{failure.message}\n{check.failure_info.code_sample}"


def takes_cursors(world: World, name: str) -> bool:
    return any(told.get("name") == "cursor" for told in operation_of(world, name).get("parameters", []))


def test_every_exception_is_of_an_operation_that_there_is() -> None:
    assert set(NAMES) >= BEYOND_SHAPE.keys() | COUNTED


@pytest.mark.parametrize("name", NAMES)
def test_schemathesis_finds_nothing_on_any_operation(world: World, settled: Settled, name: str) -> None:
    leaves = name in {"delete_current_session", *ENDS_ALL}
    schema = schema_of(world, lambda: world.anybody().token if leaves else settled.patient.token)
    ids = {f"path.{kind}_id": value for kind, value in settled.ids.items()}
    schema.config.parameters = ids | {"path.check_id": settled.ids["check"], "path.merchant": settled.ids["merchant"]}
    schema.config.phases.stateful.enabled = False
    beyond = ["422"] if name in BEYOND_SHAPE or takes_cursors(world, name) else []
    accepted = [*ACCEPTED, *beyond, *(["429"] if name in COUNTED else [])]
    schema.config.checks.positive_data_acceptance = PositiveDataAcceptanceConfig(expected_statuses=accepted)
    assert list(findings(schema.include(operation_id=name))) == []


def test_schemathesis_finds_nothing_on_any_way_through_the_operations(world: World, settled: Settled) -> None:
    """Ids that one reply tells are asked for in the next request, up to five deep."""
    schema = schema_of(world, lambda: settled.patient.token)
    phases = schema.config.phases
    phases.examples.enabled = phases.coverage.enabled = phases.fuzzing.enabled = False
    schema.config.checks.positive_data_acceptance = PositiveDataAcceptanceConfig(expected_statuses=[*ACCEPTED, "422"])
    assert list(findings(schema.exclude(operation_id=["delete_current_session", *ENDS_ALL]))) == []


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (Response('{"now": "2026-11-25T02:00:00Z"}', 202, mimetype="application/json"), "status_code_conformance"),
        (Response('{"now": "2026-11-25T02:00:00Z"}', 200, mimetype="text/plain"), "content_type_conformance"),
        (Response('{"now": 5}', 200, mimetype="application/json"), "response_schema_conformance"),
        (Response("{}", 500, mimetype="application/problem+json"), "not_a_server_error"),
    ],
)
def test_what_is_not_as_documented_is_found(
    world: World, settled: Settled, monkeypatch: pytest.MonkeyPatch, answer: Response, check: str
) -> None:
    """Else all of the above would show that nothing was looked at."""
    monkeypatch.setitem(world.app.view_functions, "time.get_time", lambda: answer)
    schema = schema_of(world, lambda: settled.patient.token)
    assert check in " ".join(findings(schema.include(operation_id="get_time")))
