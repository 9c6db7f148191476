"""Before a process serves: are its keys those of this database?"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from core.keys.known import KeyFault, Keyring, has_news, key_faults, make_known
from core.workbench import Workbench

log = structlog.get_logger()


def settle_keys(workbench: Workbench) -> list[KeyFault]:
    """Look at the keys, and make known those that are used from now on. Raises: Overloaded."""
    keyring = Keyring(workbench.vault, workbench.tickets)
    faults = check_keys(workbench)
    if not faults and workbench.transactions.read(lambda session, _now: has_news(session, keyring)):
        faults = workbench.transactions.write(lambda session, now: make_known(session, keyring, now=now))
        _judge(workbench, faults)
    return faults


def check_keys(workbench: Workbench) -> list[KeyFault]:
    """What is wrong with our keys; while anything is, this process seals and hashes nothing. Raises: Overloaded."""
    keyring = Keyring(workbench.vault, workbench.tickets)

    def look(session: Session, now: datetime) -> list[KeyFault]:
        return key_faults(session, keyring, now=now)

    faults = workbench.transactions.read(look)
    _judge(workbench, faults)
    return faults


def _judge(workbench: Workbench, faults: list[KeyFault]) -> None:
    workbench.vault.distrust(faults[0].reason if faults else None)
    for fault in faults:
        log.error("key_unusable", ring=fault.ring, key_id=fault.key_id, reason=fault.reason, alarm=True)
