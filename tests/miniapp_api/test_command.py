"""The command helper: what is answered has been committed, and what was not committed was not answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask.testing import FlaskClient
from sqlalchemy import Connection, event, func, select

from core.identity.consent_texts import current_version
from core.workbench import Workbench
from models.account import Consent, Purpose
from models.database import CommitUnsure


@contextmanager
def every_commit_fails(workbench: Workbench) -> Iterator[None]:
    """The connection is lost in COMMIT: nobody knows, and here nothing was kept."""
    engine = workbench.transactions.database.engine

    def lost(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.rollback()
        raise CommitUnsure("lost in COMMIT")

    event.listen(engine, "commit", lost)
    yield
    event.remove(engine, "commit", lost)


def agreed(workbench: Workbench) -> int:
    count = workbench.transactions.read(lambda session, _now: session.scalar(select(func.count(Consent.id))))
    assert count is not None
    return count


def test_no_success_is_answered_before_the_commit_has_returned(
    client: FlaskClient, workbench: Workbench, login: object
) -> None:
    assert callable(login)
    headers = login()
    wish = {"purpose": "service", "version": current_version(Purpose.SERVICE), "granted": True}
    with every_commit_fails(workbench):
        told = client.post("/api/v1/account/consents", json=wish, headers=headers)
    assert (told.status_code, told.get_json()["code"]) == (503, "outcome_unknown")
    assert agreed(workbench) == 0
    again = client.post("/api/v1/account/consents", json=wish, headers=headers)
    assert again.status_code in {200, 201}
    assert agreed(workbench) == 1


def test_a_key_whose_commit_was_lost_is_not_taken(client: FlaskClient, workbench: Workbench, login: object) -> None:
    assert callable(login)
    headers = login() | {"Idempotency-Key": "k" * 16}
    for purpose in (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY):
        wish = {"purpose": str(purpose), "version": current_version(purpose), "granted": True}
        client.post("/api/v1/account/consents", json=wish, headers=headers)
    dependent = {
        "name": "虚拟甲",
        "id_type": "resident_id",
        "id_number": "320106199001019985",
        "phone": "13912345678",
        "relationship": "self",
    }
    with every_commit_fails(workbench):
        told = client.post("/api/v1/dependents", json=dependent, headers=headers)
    assert (told.status_code, told.get_json()["code"]) == (503, "outcome_unknown"), told.text
    again = client.post("/api/v1/dependents", json=dependent, headers=headers)
    assert again.status_code == 201
    assert client.post("/api/v1/dependents", json=dependent, headers=headers).data == again.data
