"""A login that ended, or that a join or its undoing led elsewhere, after the request was let in and before it is done:
nothing is done in the name of who it was (A-30)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from factories import make_account
from sqlalchemy import func, select, update
from ward import Ward, add, be_asked_to_join, book, open_ward
from wire import Phone, Reply

from core.identity.consent_texts import current_version
from models.account import Consent, LoginSession, Purpose
from models.database import Database
from models.person import Dependent

Change = Callable[[Ward, UUID], None]
HELD = {"min_identity_level": 0}


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


@pytest.fixture
def phone(ward: Ward) -> Phone:
    return ward.log_in("an")


def ends(ward: Ward, account_id: UUID) -> None:
    mine = LoginSession.account_id == account_id
    ward.workbench.transactions.write(
        lambda session, now: session.execute(update(LoginSession).where(mine).values(revoked_at=now))
    )


def moves(ward: Ward, account_id: UUID) -> None:
    mine = LoginSession.account_id == account_id
    ward.workbench.transactions.write(
        lambda session, now: session.execute(
            update(LoginSession).where(mine).values(account_id=make_account(session, now=now).id)
        )
    )


CHANGES: list[tuple[Change, tuple[int, str]]] = [(ends, (401, "unauthenticated")), (moves, (503, "overloaded"))]
each_change = pytest.mark.parametrize(("change", "told"), CHANGES, ids=["ended", "moved"])


def late(ward: Ward, monkeypatch: pytest.MonkeyPatch, endpoint: str, change: Callable[[], None]) -> None:
    """Between the look at the login and the first transaction of `endpoint`, as while a slow body comes in."""
    handle = ward.app.view_functions[endpoint]

    def handled(**given: Any) -> Any:
        change()
        return handle(**given)

    monkeypatch.setitem(ward.app.view_functions, endpoint, handled)


def account_of(phone: Phone) -> UUID:
    return UUID(phone.get("/account")["id"])


def count(ward: Ward, record: type[Any]) -> int:
    return ward.workbench.transactions.read(lambda session, _: session.scalar(select(func.count(record.id)))) or 0


WISHES: dict[str, tuple[str, str, Any, type[Any]]] = {
    "consent": (
        "consents.create_consent",
        "/account/consents",
        {"purpose": "service", "version": current_version(Purpose.SERVICE), "granted": False},
        Consent,
    ),
    "dependent": (
        "dependents.create_dependent",
        "/dependents",
        {"name": "虚拟甲", "id_type": "resident_id", "id_number": "320106199001019985", "phone": "13912345678"}
        | {"relationship": "other"},
        Dependent,
    ),
}


def once(phone: Phone, path: str, body: Any) -> Reply:
    """Not insisting, as `Phone.post` does."""
    return phone.send("POST", path, body, key="k" * 20)


@each_change
@pytest.mark.parametrize("wish", WISHES)
def test_a_command_whose_login_is_another_ones_by_now_does_nothing(  # noqa: PLR0917
    ward: Ward, phone: Phone, monkeypatch: pytest.MonkeyPatch, wish: str, change: Change, told: tuple[int, str]
) -> None:
    (endpoint, path, body, record), account_id = WISHES[wish], account_of(phone)
    before = count(ward, record)
    late(ward, monkeypatch, endpoint, lambda: change(ward, account_id))
    refused = once(phone, path, body)
    assert (refused.status, refused.code) == told
    assert count(ward, record) == before


@each_change
def test_no_platform_is_asked_for_a_login_that_is_another_ones_by_now(
    ward: Ward, phone: Phone, monkeypatch: pytest.MonkeyPatch, change: Change, told: tuple[int, str]
) -> None:
    appointment_id, account_id = held(ward, phone), account_of(phone)
    late(ward, monkeypatch, "appointment_payments.open_payment", lambda: change(ward, account_id))
    refused = once(phone, f"/appointments/{appointment_id}/payments", {"channel": "wechat_jsapi"})
    assert (refused.status, refused.code) == told
    assert ward.adapters.the_gateway.calls == []


@each_change
def test_what_a_platform_answered_is_not_told_to_a_login_that_is_another_ones_by_now(
    ward: Ward, phone: Phone, monkeypatch: pytest.MonkeyPatch, change: Change, told: tuple[int, str]
) -> None:
    appointment_id, account_id = held(ward, phone), account_of(phone)
    gateway = ward.adapters.the_gateway
    open_payment = gateway.open_payment

    def slow(order: Any) -> Any:
        change(ward, account_id)
        return open_payment(order)

    monkeypatch.setattr(gateway, "open_payment", slow)
    refused = once(phone, f"/appointments/{appointment_id}/payments", {"channel": "wechat_jsapi"})
    assert (refused.status, refused.code) == told


def held(ward: Ward, phone: Phone) -> str:
    reply = book(phone, ward.schedule(terms=HELD), add(phone))
    assert reply.status == 201, reply
    return str(reply.json["id"])


@each_change
@pytest.mark.parametrize("verb", ["yes", "undo"])
def test_neither_yes_nor_undoing_is_said_by_a_login_that_is_another_ones_by_now(  # noqa: PLR0917
    ward: Ward, phone: Phone, monkeypatch: pytest.MonkeyPatch, verb: str, change: Change, told: tuple[int, str]
) -> None:
    asked, account_id = be_asked_to_join(ward, phone), account_of(phone)
    name = "create_account_join" if verb == "yes" else "undo_account_join"
    late(ward, monkeypatch, f"account_joins.{name}", lambda: change(ward, account_id))
    if verb == "yes":
        refused = once(phone, "/account/joins", {"join_id": asked})
    else:
        refused = phone.send("DELETE", f"/account/joins/{asked}")
    assert (refused.status, refused.code) == told


@pytest.mark.parametrize("change", [ends, moves])
def test_a_logout_under_way_is_no_failure(
    ward: Ward, phone: Phone, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    account_id = account_of(phone)
    late(ward, monkeypatch, "current_session.delete_current_session", lambda: change(ward, account_id))
    assert phone.send("DELETE", "/sessions/current").status == 204
    assert phone.send("GET", "/account").status == 401
