"""The job runner's wiring: which use case does which job, and what comes back by itself."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.booking.clinic.affected import settle_suspension
from core.booking.clinic.changed import FOLLOW_CHANGE, follow_change
from core.booking.clinic.soon import SETTLE
from core.booking.day.no_show import mark_no_shows
from core.booking.endings.release import close_payments, end_hold
from core.booking.endings.returning import return_slot
from core.booking.endings.sweep import sweep
from core.booking.strikes.appeals import PAUSE, pause_strike
from core.booking.strikes.ledger import COUNT, LIFT, WORK_OUT, count_strike, lift_strike, work_out_strikes
from core.booking.waitlist.follow import FOLLOW_OFFER, expire_waitlist, follow_offer
from core.booking.watch.clusters import watch_bookings
from core.catalog.channels import return_channels
from core.catalog.publish import extend_schedules_job
from core.conversation.receive import forget_messages
from core.dependents.birthdays import tell_birthdays
from core.hospital.publish import pull_half_days
from core.hospital.settle import settle_claim
from core.hospital.visits import pull_visits
from core.idempotency import forget_old_keys
from core.identity.code_limits import forget_phone_codes
from core.identity.completion import settle_identity_check
from core.identity.page_login import forget_page_logins
from core.jobs.queue import LeasedJob
from core.jobs.runner import Handler, Periodic, Runner
from core.keys.known import KeyFault
from core.keys.rotate import ROTATE, rotate_keys
from core.keys.settle import settle_keys
from core.payments.ask import ask_payment
from core.payments.carry_out import carry_out_refund
from core.payments.desk_clock import watch_refunds
from core.payments.forget_events import forget_events
from core.payments.inbox import apply_event
from core.payments.push_refund import push_refund
from core.payments.refund_desk import CARRY_OUT
from core.payments.refunds import PUSH_REFUND
from core.payments.shipping import REPORT, report_shipping
from core.payments.shipping_desk import watch_shipping
from core.reconciliation.day import ASK_FOR_BILLS, RECONCILE, ask_for_bills, reconcile_day
from core.reconciliation.give_back import GIVE_BACK, give_back_unknown
from core.rights.erase import erase_expired
from core.workbench import Workbench
from models.errors import Unavailable

_LOOK_AGAIN_SECONDS = 2.0

log = structlog.get_logger()


def _forget_old_keys(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    workbench.transactions.write(lambda session, now: forget_old_keys(session, now=now))
    return None


def _forget_page_logins(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    workbench.transactions.write(lambda session, now: forget_page_logins(session, now=now))
    return None


def _forget_phone_codes(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    workbench.transactions.write(lambda session, now: forget_phone_codes(session, now=now))
    return None


def _forget_messages(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    workbench.transactions.write(lambda session, now: forget_messages(session, now=now))
    return None


def _forget_events(workbench: Workbench, _job: LeasedJob) -> datetime | None:
    workbench.transactions.write(lambda session, now: forget_events(session, now=now))
    return None


HANDLERS: Mapping[str, Handler] = {
    "apply_event": apply_event,
    ASK_FOR_BILLS: ask_for_bills,
    "ask_payment": ask_payment,
    "close_payments": close_payments,
    COUNT: count_strike,
    "end_hold": end_hold,
    "erase_expired": erase_expired,
    "expire_waitlist": expire_waitlist,
    "extend_schedules": extend_schedules_job,
    FOLLOW_OFFER: follow_offer,
    FOLLOW_CHANGE: follow_change,
    "forget_events": _forget_events,
    "forget_messages": _forget_messages,
    "forget_old_keys": _forget_old_keys,
    "forget_page_logins": _forget_page_logins,
    "forget_phone_codes": _forget_phone_codes,
    "pull_half_days": pull_half_days,
    "pull_visits": pull_visits,
    LIFT: lift_strike,
    "mark_no_shows": mark_no_shows,
    PAUSE: pause_strike,
    PUSH_REFUND: push_refund,
    CARRY_OUT: carry_out_refund,
    GIVE_BACK: give_back_unknown,
    RECONCILE: reconcile_day,
    REPORT: report_shipping,
    "return_channels": return_channels,
    "return_slot": return_slot,
    ROTATE: rotate_keys,
    "settle_claim": settle_claim,
    "settle_identity_check": settle_identity_check,
    SETTLE: settle_suspension,
    "sweep": sweep,
    "tell_birthdays": tell_birthdays,
    "watch_bookings": watch_bookings,
    "watch_refunds": watch_refunds,
    "watch_shipping": watch_shipping,
    WORK_OUT: work_out_strikes,
}

PERIODIC = (
    Periodic(ASK_FOR_BILLS, timedelta(hours=1)),
    Periodic("erase_expired", timedelta(days=1)),
    Periodic("expire_waitlist", timedelta(minutes=5)),
    Periodic("extend_schedules", timedelta(hours=1)),
    Periodic("forget_events", timedelta(days=1)),
    Periodic("forget_messages", timedelta(hours=1)),
    Periodic("forget_old_keys", timedelta(minutes=30)),
    Periodic("forget_page_logins", timedelta(minutes=30)),
    Periodic("forget_phone_codes", timedelta(minutes=30)),
    Periodic("pull_half_days", timedelta(minutes=15)),
    Periodic("pull_visits", timedelta(minutes=1)),
    Periodic("return_channels", timedelta(minutes=1)),
    Periodic("mark_no_shows", timedelta(minutes=5)),
    Periodic("sweep", timedelta(minutes=1)),
    Periodic("tell_birthdays", timedelta(days=1)),
    Periodic("watch_bookings", timedelta(minutes=15)),
    Periodic("watch_refunds", timedelta(days=1)),
    Periodic("watch_shipping", timedelta(days=1)),
)


THREADS = 5
SHARES = {RECONCILE: 1, PUSH_REFUND: 2, REPORT: 1}
"""Of a worker's threads. What comes in floods, or waits long for a platform, leaves room for what patients wait
for: their payments, their numbers, and what a hospital is to be told."""


def make_runner(workbench: Workbench) -> Runner:
    """A runner with every job of the house."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    return Runner(workbench, HANDLERS, periodic=PERIODIC, shares=SHARES, threads=THREADS, name=name)


def work(workbench: Workbench) -> None:
    """Work until TERM or Ctrl-C; what is in hand then is finished first. With keys that are not those of the database
    nothing is begun."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    faults = _settled_keys(workbench, stop)
    if faults:
        sys.exit("\n".join(f"{fault.reason}: key {fault.key_id} of the ring {fault.ring}" for fault in faults))
    make_runner(workbench).run_until(stop)


def _settled_keys(workbench: Workbench, stop: threading.Event) -> list[KeyFault]:
    """Once the database answers and has its tables."""
    while not stop.is_set():
        try:
            return settle_keys(workbench)
        except (Unavailable, SQLAlchemyError):
            log.warning("keys_not_looked_at", exc_info=True)
            stop.wait(_LOOK_AGAIN_SECONDS)
    return []
