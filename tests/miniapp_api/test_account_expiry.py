"""L-06, L-07: what a law wants to be kept goes when its time is over, and nothing of it before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import FakeGateway
from minors import newborn
from people import resident_id
from sqlalchemy import func, select
from ward import Ward, add, agree, book, give, open_ward
from wire import Phone

from core.clock import hospital_day
from core.invariants import check_invariants
from core.jobs.queue import LeasedJob
from core.ports import RefundState
from core.rights.erase import erase_expired
from core.rights.expire import _timed
from core.rights.holdings import HOLDINGS, OF_OTHERS
from core.rights.retention import RETENTION, YEAR, Outcome
from models import Base
from models.base import new_id
from models.database import Database

ANYBODY = {"min_identity_level": 0}
PUBLIC = frozenset(
    {
        "hospitals", "campuses", "departments", "doctors", "schedules", "slots", "rosters", "jobs", "periodic_jobs",
        "vault_keys", "platform_events", "booking_policies", "state_events", "refund_paces",
    }
)  # fmt: skip
"""What is of nobody."""


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


def rows(ward: Ward) -> Counter[str]:
    """How many there are about people, by table."""
    with ward.workbench.transactions.database.read() as session:
        found = {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }
    return Counter({name: count for name, count in found.items() if count and name not in PUBLIC})


def expire(ward: Ward, after: timedelta) -> Counter[str]:
    """Let the time pass, and have the job run until it has nothing more to do; what is left then."""
    ward.clock.advance(after)
    job = LeasedJob(new_id(), "erase_expired", {}, 1, 1)
    for _ in range(50):
        if erase_expired(ward.workbench, job) is None:
            break
        sound(ward)
    else:
        pytest.fail("it comes back for ever")
    sound(ward)
    return rows(ward)


def sound(ward: Ward) -> None:
    """But for the other jobs, which no worker did in all these years."""
    with ward.workbench.transactions.database.read() as session:
        broken = check_invariants(session, now=ward.clock.now())
    assert [one for one in broken if one.invariant != "job_is_not_stuck"] == []


def live_and_close(ward: Ward, name: str, number: str) -> None:
    """Paid, cancelled and given back; booked on site and cancelled; a check at the desk; then closed."""
    phone = ward.log_in(name)
    dependent_id = add(phone, id_number=number)
    agree(phone, "face", dependent_id)
    assert phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": "on_site"}).status == 201
    paid(ward, phone, dependent_id)
    on_site = book(phone, ward.schedule(terms=ANYBODY), dependent_id, "on_site").json
    assert phone.post(f"/appointments/{on_site['id']}/cancellation").status == 200
    ward.work(after=timedelta(minutes=5))
    phone.get("/account/export")
    closed = phone.send("DELETE", "/account")
    assert closed.status == 200, closed


def paid(ward: Ward, phone: Phone, dependent_id: str) -> None:
    gateway: FakeGateway = ward.adapters.the_gateway
    made = book(phone, ward.schedule(terms=ANYBODY), dependent_id).json
    opened = phone.post(f"/appointments/{made['id']}/payments", {"channel": "wechat_jsapi"}).json
    gateway.pay(opened["out_trade_no"])
    ward.work(after=timedelta(seconds=6))
    assert phone.post(f"/appointments/{made['id']}/cancellation").status == 200
    ward.work(after=timedelta(seconds=6))
    for refund in list(gateway.refunds):
        gateway.settle_refund(refund, RefundState.SUCCEEDED)
    ward.work(after=timedelta(minutes=3))


def test_l_07_each_kind_goes_when_its_time_is_over_and_nothing_before(ward: Ward) -> None:
    before = rows(ward)
    live_and_close(ward, "an", "330102199001019973")
    whole = rows(ward)
    assert {"login_sessions", "audit_entries", "consents", "identity_checks", "payments", "refunds"} <= whole.keys()
    assert expire(ward, YEAR / 2 - timedelta(days=1)) == whole
    half = expire(ward, timedelta(days=2))
    assert whole.keys() - half.keys() == {"login_sessions", "audit_entries"}
    assert expire(ward, 2 * YEAR) == half
    three = expire(ward, YEAR)
    assert half.keys() - three.keys() == {"consents", "identity_checks"}
    assert (whole["appointments"], three["appointments"], three["charges"]) == (2, 1, 1)  # the one that was paid
    assert three["payments"] == whole["payments"]
    assert expire(ward, 25 * YEAR) == three
    assert expire(ward, 2 * YEAR) == before == Counter()


def test_l_07_a_booking_without_money_is_no_voucher_and_goes_after_three_years(ward: Ward) -> None:
    """On site and cancelled, and prepaid but never paid."""
    phone = ward.log_in("an")
    dependent_id = add(phone)
    for mode in ("on_site", "online"):
        made = book(phone, ward.schedule(terms=ANYBODY), dependent_id, mode).json
        if mode == "online":
            phone.post(f"/appointments/{made['id']}/payments", {"channel": "wechat_jsapi"})
        assert phone.post(f"/appointments/{made['id']}/cancellation").status == 200
        ward.work(after=timedelta(minutes=5))
    ward.work(after=timedelta(minutes=30))
    assert phone.send("DELETE", "/account").status == 200
    assert expire(ward, 3 * YEAR - timedelta(days=1))["appointments"] == 2
    assert expire(ward, timedelta(days=9)) == Counter()


def test_l_06_who_never_booked_is_gone_to_the_last_row_after_three_years(ward: Ward) -> None:
    phone = ward.log_in("an")
    agree(phone, "face", add(phone))
    assert phone.send("DELETE", "/account").status == 200
    assert expire(ward, 3 * YEAR + timedelta(days=1)) == Counter()


def test_l_06_whoever_was_merged_is_gone_with_whom_they_became(ward: Ward) -> None:
    phone = ward.log_in("an")
    child = phone.post("/dependents", newborn(ward))
    number = resident_id(birth=hospital_day(ward.clock.now()), order=902)
    given = {"id_type": "resident_id", "id_number": number, "name": "测试丁"}
    assert phone.send("PUT", f"/dependents/{child.json['id']}/document", given).status == 200
    assert phone.send("DELETE", "/account").status == 200
    assert expire(ward, 3 * YEAR + timedelta(days=1)) == Counter()


def test_l_06_whoever_the_desk_said_is_one_is_gone_with_the_last_of_them(ward: Ward) -> None:
    an, bo = ward.log_in("an"), ward.log_in("bo")
    child = an.post("/dependents", newborn(ward)).json["id"]
    born = hospital_day(ward.clock.now())
    given = {"id_type": "resident_id", "id_number": resident_id(birth=born, order=902), "name": "测试丁"}
    assert an.send("PUT", f"/dependents/{child}/document", given).status == 200
    abroad = add(
        bo,
        name="MARIE CURIE",
        id_type="passport",
        id_number="AB1234567",
        id_expires_on=str(born + 9 * YEAR),
        birth_date=str(born),
        sex="female",
        country="FRA",
    )
    merge = ["merge-records", child, abroad, "--operator", "clerk-1", "--documents-seen"]
    assert ward.app.test_cli_runner().invoke(args=merge).exit_code == 0
    assert bo.send("DELETE", "/account").status == 200
    assert expire(ward, 4 * YEAR)["persons"] == 2  # what stood for the number, and the number
    assert ward.log_in("an", agreed=False).send("DELETE", "/account").status == 200
    assert expire(ward, 4 * YEAR) == Counter()


def test_nothing_of_an_open_account_goes_and_nothing_that_another_needs(ward: Ward) -> None:
    """Two accounts have one man: the document stays with whoever still names him."""
    bo = ward.log_in("bo")
    theirs = add(bo)
    left = rows(ward)
    live_and_close(ward, "an", "330102199001019973")
    assert expire(ward, 31 * YEAR) == left
    (told,) = bo_anew(ward).get("/account/export")["dependents"]
    assert (told["id"], told["id_number"]) == (theirs, "330102199001019973")


def bo_anew(ward: Ward) -> Phone:
    """The old login has ended by itself."""
    phone = ward.log_in("bo", agreed=False)
    return phone


def test_many_accounts_go_in_steps_that_can_be_stopped(ward: Ward) -> None:
    """More than one transaction takes; between any two of them everything holds."""
    for nth in range(22):
        assert ward.log_in(f"nobody-{nth}").send("DELETE", "/account").status == 200
    ward.clock.advance(4 * YEAR)
    job = LeasedJob(new_id(), "erase_expired", {}, 1, 1)
    assert erase_expired(ward.workbench, job) is not None
    assert 0 < rows(ward)["accounts"] < 22
    sound(ward)
    assert expire(ward, timedelta(0)) == Counter()


def test_l_20_an_operator_reads_the_catalogue(ward: Ward) -> None:
    printed = ward.app.test_cli_runner().invoke(args=["data-catalogue"])
    lines = printed.output.splitlines()
    assert (printed.exit_code, lines[0]) == (0, "| table | column | grade |")
    assert "| dependents | name_sealed | sensitive |" in lines
    assert len(lines) == 2 + sum(len(table.columns) for table in Base.metadata.sorted_tables)


def test_every_kind_that_is_kept_has_its_time() -> None:
    kept = {name for name, rule in RETENTION.items() if rule.outcome is Outcome.KEPT}
    assert kept == {holding.name for holding, _ in _timed()} | OF_OTHERS
    assert kept <= {holding.name for holding in HOLDINGS}


def test_l_07_a_grant_stays_as_long_as_what_was_done_under_it(ward: Ward) -> None:
    granter, holder = ward.log_in("granter"), ward.log_in("holder")
    dependent_id = add(granter)
    give(ward, granter, dependent_id, holder, "book", "pay")
    paid(ward, holder, dependent_id)
    assert holder.send("DELETE", "/account").status == 200
    assert expire(ward, 4 * YEAR)["grants"] == 1
    assert ward.log_in("granter", agreed=False).send("DELETE", "/account").status == 200
    assert expire(ward, 31 * YEAR) == {}
