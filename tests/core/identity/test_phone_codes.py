"""A code proves the phone that it was sent to, to the login that asked for it, once, within five minutes (A-36)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from codes_by_sms import LIMITS, NET, OTHER_PHONE, PHONE, WIDE, Prover, another_login, make_prover, wrong
from fakes import START, FakeAdapters, FakeSms, ManualClock
from structlog.testing import capture_logs
from traces import bytes_of, traces

from core.identity.code_limits import forget_phone_codes
from core.ports import NumberRefused, ProviderRefused, ProviderUnavailable, TextKind
from core.refusals import ConsentRequired, PhoneNotProven, ProviderDown
from core.workbench import Workbench
from models.account import LoginSession
from models.database import Database
from models.errors import TooMany, Unauthenticated, ValidationFailed
from models.phone_code import CodePurpose, Sending
from models.sealing import Vault

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def prover(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Prover:
    return make_prover(workbench, clock, adapters)


def test_a_code_that_came_proves_the_phone(prover: Prover) -> None:
    code = prover.code()
    assert re.fullmatch("[0-9]{6}", code)
    account = prover.prove(code)
    assert (account.phone(prover.workbench.vault), account.phone_masked) == (PHONE, "138****0001")
    assert (account.phone_proven_at, account.phone_proven_by_id) == (START, prover.asker.identity_id)


def test_it_tells_until_when_and_from_when(prover: Prover) -> None:
    intent = prover.ask()
    assert (intent.expires_at, intent.again_at) == (START + timedelta(minutes=5), START + timedelta(minutes=1))
    assert PHONE not in repr(intent)
    assert intent.code not in repr(intent)
    assert PHONE not in repr(prover.asker)


def test_codes_are_drawn_by_chance(prover: Prover) -> None:
    wide = prover.but(limits=WIDE)
    assert len({wide.code() for _ in range(20)}) > 15


@pytest.mark.parametrize("how", ["used", "wrong", "nobody's", "another phone", "another account", "another purpose"])
def test_what_proves_nothing(
    prover: Prover, workbench: Workbench, clock: ManualClock, adapters: FakeAdapters, how: str
) -> None:
    code = prover.code()
    who, guess = prover, code
    if how == "used":
        prover.prove(code)
    elif how == "wrong":
        guess = wrong(code)
    elif how == "nobody's":
        who = prover.but(phone=OTHER_PHONE)
    elif how == "another phone":
        who = prover.but(phone=OTHER_PHONE)
        who.ask()
    elif how == "another account":
        who = make_prover(workbench, clock, adapters)
    else:
        with workbench.transactions.database.write() as session:
            session.connection().exec_driver_sql("UPDATE phone_codes SET purpose = 'something_else'")
    before = who.account().phone_masked
    with pytest.raises(PhoneNotProven):
        who.prove(guess)
    assert who.account().phone_masked == before


def test_a_code_is_good_for_the_login_that_asked_alone(prover: Prover) -> None:
    code = prover.code()
    other = another_login(prover)
    assert other.guess(code) is None
    assert prover.guess(code) is not None


def test_the_instant_of_its_end_is_too_late(prover: Prover, clock: ManualClock) -> None:
    code = prover.code()
    clock.advance(timedelta(minutes=5) - MILLISECOND)
    code_id = prover.guess(code)
    assert code_id is not None
    clock.advance(MILLISECOND)
    assert prover.guess(code) is None
    with pytest.raises(PhoneNotProven):
        prover.use(code_id)


def test_a_newer_code_takes_the_place_of_the_older(prover: Prover, clock: ManualClock) -> None:
    first = prover.code()
    clock.advance(timedelta(minutes=1))
    second = prover.code()
    assert first == second or prover.guess(first) is None
    assert prover.guess(second) is not None
    assert [row.ended_at is None for row in prover.rows()] == [False, True]


def test_codes_for_two_phones_stand_beside_each_other(prover: Prover) -> None:
    first, second = prover.code(), prover.but(phone=OTHER_PHONE).code()
    assert prover.guess(first) is not None
    assert prover.but(phone=OTHER_PHONE).guess(second) is not None


def test_after_five_tries_even_the_right_one_waits_for_the_next_code(prover: Prover, clock: ManualClock) -> None:
    code = prover.code()
    for _ in range(4):
        assert prover.guess(wrong(code)) is None
    assert prover.guess(code) is not None
    with pytest.raises(TooMany) as refused:
        prover.guess(code)
    assert refused.value.retry_at == START + timedelta(minutes=5)
    assert prover.rows()[0].tries == 5
    clock.advance(timedelta(minutes=1))
    assert prover.prove(prover.code()).has_phone


def test_a_try_counts_even_where_its_request_is_refused(prover: Prover) -> None:
    code = prover.code()
    with pytest.raises(PhoneNotProven):
        prover.prove(wrong(code))
    assert prover.rows()[0].tries == 1


def test_a_new_phone_takes_the_place_of_the_old_one(prover: Prover) -> None:
    prover.prove(prover.code())
    other = prover.but(phone=OTHER_PHONE)
    assert other.prove(other.code()).phone(prover.workbench.vault) == OTHER_PHONE


# --- before anything is sent


def test_nothing_is_sent_before_the_service_is_consented_to(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    prover = make_prover(workbench, clock, adapters, agreed=False)
    for act in (prover.ask, lambda: prover.guess("123456")):
        with pytest.raises(ConsentRequired):
            act()
    assert (prover.sms.sent, prover.rows()) == ([], [])


def test_a_login_that_has_ended_sends_nothing(prover: Prover) -> None:
    with prover.workbench.transactions.database.write() as session:
        session.get_one(LoginSession, prover.asker.login_id).revoked_at = START
    with pytest.raises(Unauthenticated):
        prover.ask()
    assert (prover.sms.sent, prover.rows()) == ([], [])


@pytest.mark.parametrize("phone", ["+85291234567", "+16502530000"])
def test_no_code_goes_abroad(prover: Prover, phone: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        prover.but(phone=phone).ask()
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [("#/phone", "mainland_only")]
    assert prover.sms.sent == []


def test_without_an_account_the_way_is_not_open(prover: Prover, adapters: FakeAdapters) -> None:
    adapters.sms.clear()
    with pytest.raises(ValidationFailed) as refused:
        prover.ask()
    assert [fault.code for fault in refused.value.errors] == ["not_configured"]


# --- what the platform says


@pytest.mark.parametrize(
    ("failure", "sending"),
    [
        (None, Sending.SENT),
        (ProviderUnavailable("slow", sent=True), Sending.UNKNOWN),
        (NumberRefused("isv.MOBILE_NUMBER_ILLEGAL"), Sending.REFUSED),
    ],
)
def test_the_answer_is_the_same_whatever_the_number(
    prover: Prover, failure: Exception | None, sending: Sending
) -> None:
    prover.sms.failures = [failure] if failure else []
    assert prover.ask().expires_at == START + timedelta(minutes=5)
    (row,) = prover.rows()
    assert (row.sending, row.provider) == (sending, "aliyun")
    assert (row.ended_at is None) is (sending is not Sending.REFUSED)


def test_a_code_whose_message_got_no_answer_may_still_have_come(prover: Prover) -> None:
    prover.sms.failures = [ProviderUnavailable("slow", sent=True)]
    assert prover.guess(prover.ask().code) is not None


@pytest.mark.parametrize(
    "failure", [ProviderUnavailable("refused", sent=False), ProviderRefused("isv.AMOUNT_NOT_ENOUGH")]
)
def test_what_went_to_nobody_is_told_and_the_code_ends(prover: Prover, failure: Exception) -> None:
    prover.sms.failures = [failure]
    with pytest.raises(ProviderDown), capture_logs() as lines:
        prover.ask()
    assert [line.get("alarm", False) for line in lines] == [isinstance(failure, ProviderRefused)]
    assert PHONE[3:] not in repr(lines)
    (row,) = prover.rows()
    assert (row.sending, row.ended_at) == (Sending.FAILED, START)


def test_a_second_account_takes_over_where_the_first_cannot(prover: Prover, adapters: FakeAdapters) -> None:
    second = FakeSms("tencent")
    adapters.sms.append(second)
    prover.sms.failures = [ProviderRefused("isv.OUT_OF_SERVICE")]
    prover.ask()
    assert (prover.sms.sent, len(second.sent)) == ([], 1)
    assert prover.rows()[0].provider == "tencent"


def test_a_message_that_may_be_on_its_way_is_never_sent_again(prover: Prover, adapters: FakeAdapters) -> None:
    second = FakeSms("tencent")
    adapters.sms.append(second)
    prover.sms.failures = [ProviderUnavailable("slow", sent=True)]
    prover.ask()
    assert second.sent == []


def test_the_platform_is_called_outside_of_any_transaction_and_after_the_row_stands(prover: Prover) -> None:
    seen: list[Sending] = []
    send = prover.sms.send_code

    def while_sending(*, phone: str, code: str, kind: TextKind) -> str:
        with (
            prover.workbench.transactions.database.write() as _another
        ):  # SQLite has one writer: it would wait for ever
            seen.extend(row.sending for row in prover.rows())
        return send(phone=phone, code=code, kind=kind)

    prover.sms.send_code = while_sending  # type: ignore[method-assign]
    prover.ask()
    assert seen == [Sending.STARTED]


# --- what is kept


def test_nothing_kept_or_logged_tells_phone_code_or_network(prover: Prover, database: Database) -> None:
    with capture_logs() as lines:
        code = prover.code()
        prover.guess(wrong(code))
        prover.prove(code)
    kept = bytes_of(database) + repr(lines).encode()
    assert b"account_phone" in kept
    told = (PHONE, PHONE[3:], NET, NET.partition("/")[0])
    assert [one for one in told for trace in traces(one) if trace in kept] == []
    (row,) = prover.rows()
    assert code.encode() not in row.code_hash + row.phone_hash + row.net_hash


def test_equal_codes_have_different_hashes(prover: Prover, vault: Vault) -> None:
    rows = []
    for _ in range(2):
        prover.but(limits=WIDE).ask()
        rows.append(prover.rows()[-1])
    for row in rows:
        row.hash_all(vault, phone=PHONE, net=NET, code="123456")
    assert rows[0].code_hash != rows[1].code_hash
    assert rows[0].phone_hash == rows[1].phone_hash


def test_a_day_later_nothing_is_left(prover: Prover, clock: ManualClock) -> None:
    prover.ask()
    forget = prover.workbench.transactions.write
    clock.advance(timedelta(hours=25))
    forget(lambda session, now: forget_phone_codes(session, now=now))
    assert len(prover.rows()) == 1
    clock.advance(MILLISECOND)
    forget(lambda session, now: forget_phone_codes(session, now=now))
    assert prover.rows() == []
    assert prover.but(limits=LIMITS).code()


def test_a_purpose_is_a_word_of_the_list() -> None:
    assert [str(one) for one in CodePurpose] == ["account_phone", "agreement", "identity_check"]
