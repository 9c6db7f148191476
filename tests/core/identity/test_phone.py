"""A phone is what the platform vouches for: read, sealed with its instant, and never told to a log or an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import pytest
from factories import make_account, make_identity
from fakes import START, FakePhones, ManualClock
from people import CAUSE, agree
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.identity.phone import about_to_prove, ask_phone, keep_phone
from core.ports import PhoneRefused, ProviderRefused, ProviderUnavailable
from core.refusals import ConsentRequired, PhoneNotProven, ProviderDown
from core.transactions import Transactions
from models.account import Account, Purpose
from models.base import new_id
from models.errors import ValidationFailed
from models.sealing import Vault

NUMBER = "13800000000"
LOGIN = new_id()
CODE = {"code": f"phone-{NUMBER}"}


class Says(FakePhones):
    """Vouches for whatever the code is, as it stands there."""

    def read_phone(self, proof: Mapping[str, str], *, user: str) -> str:
        return proof["code"]


@pytest.fixture
def account_id(transactions: Transactions) -> UUID:
    return transactions.write(lambda session, now: make_account(session, now=now).id)


def keep(transactions: Transactions, vault: Vault, account_id: UUID, phone: str = f"+86{NUMBER}") -> Account:
    return transactions.write(
        lambda session, now: keep_phone(
            session, account_id=account_id, identity_id=LOGIN, phone=phone, vault=vault, now=now, cause=CAUSE
        )
    )


def test_the_number_is_sealed_hashed_and_masked_with_the_instant_of_its_proof(
    transactions: Transactions, vault: Vault, account_id: UUID
) -> None:
    account = keep(transactions, vault, account_id)
    assert (account.phone_masked, account.phone_proven_at, account.has_phone) == ("138****0000", START, True)
    assert account.phone(vault) == "+8613800000000"
    assert NUMBER.encode() not in (account.phone_sealed or b"") + (account.phone_hash or b"")


def test_a_newer_proof_takes_the_place_of_the_older_one(
    transactions: Transactions, vault: Vault, account_id: UUID, clock: ManualClock
) -> None:
    keep(transactions, vault, account_id)
    later = clock.advance(timedelta(days=1))
    account = keep(transactions, vault, account_id, "+8613900000001")
    assert (account.phone(vault), account.phone_proven_at) == ("+8613900000001", later)


def test_two_accounts_may_prove_one_number_and_are_found_by_one_hash(
    transactions: Transactions, vault: Vault, account_id: UUID
) -> None:
    other = transactions.write(lambda session, now: make_account(session, now=now).id)
    one, two = keep(transactions, vault, account_id), keep(transactions, vault, other)
    assert one.phone_hash == two.phone_hash
    assert one.phone_sealed != two.phone_sealed


@pytest.mark.parametrize(
    ("told", "kept"),
    [("+8613800000000", "+8613800000000"), ("8613800000000", "+8613800000000"), ("+85291234567", "+85291234567")],
)
def test_the_platforms_spelling_becomes_ours(told: str, kept: str) -> None:
    assert ask_phone(Says(), {"code": told}, user="u") == kept


@pytest.mark.parametrize("told", ["", "+861380000000", "+862584350000", "+8614400000000", "nonsense"])
def test_what_is_no_number_of_a_person_proves_nothing(told: str) -> None:
    with pytest.raises(PhoneNotProven) as refused:
        ask_phone(Says(), {"code": told}, user="u")
    assert "8614400000000" not in repr(refused.value) + repr(refused.value.__cause__)


def test_the_platform_is_asked_about_whoever_is_logged_in() -> None:
    prover = FakePhones()
    ask_phone(prover, CODE, user="open-id-of-one")
    assert prover.asked == [(CODE, "open-id-of-one")]


@pytest.mark.parametrize(
    ("takes", "proof", "faults"),
    [
        ({"code"}, {}, {("#/code", "missing")}),
        ({"code"}, {"code": "c", "sign": "s"}, {("#/sign", "not_allowed")}),
        ({"response", "sign"}, {"sign": "s", "code": "c"}, {("#/response", "missing"), ("#/code", "not_allowed")}),
        ({"response", "sign"}, {"response": "r"}, {("#/sign", "missing")}),
    ],
)  # fmt: skip
def test_a_proof_is_exactly_what_the_platform_takes(
    takes: set[str], proof: dict[str, str], faults: set[tuple[str, str]]
) -> None:
    prover = FakePhones(takes=frozenset(takes))
    with pytest.raises(ValidationFailed) as refused:
        ask_phone(prover, proof, user="u")
    assert {(fault.pointer, fault.code) for fault in refused.value.errors} == faults
    assert prover.asked == []


@pytest.mark.parametrize(
    ("failure", "refusal"),
    [
        (PhoneRefused("40029"), PhoneNotProven),
        (ProviderUnavailable("slow"), ProviderDown),
        (ProviderRefused("40013"), ProviderDown),
    ],
)
def test_what_the_platform_says_of_a_proof(failure: Exception, refusal: type[Exception]) -> None:
    prover = FakePhones()
    prover.failure = failure
    with pytest.raises(refusal), capture_logs() as lines:
        ask_phone(prover, CODE, user="u")
    assert [line["event"] for line in lines] == ["phone_platform_refused"] * (type(failure) is ProviderRefused)
    assert NUMBER not in repr(lines)


def test_nothing_is_asked_before_the_service_is_consented_to(transactions: Transactions, vault: Vault) -> None:
    def ask(session: Session, _now: object) -> str:
        return about_to_prove(session, account_id=account.id, identity_id=identity.id, vault=vault)

    with transactions.database.write() as session:
        account = make_account(session)
        identity = make_identity(session, vault, account, subject="open-id-of-one")
    with pytest.raises(ConsentRequired):
        transactions.read(ask)
    transactions.write(lambda session, now: agree(session, account.id, Purpose.SERVICE, now=now))
    assert transactions.read(ask) == "open-id-of-one"
