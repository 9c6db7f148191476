"""Operator commands about keys: begin, stop and follow the way to newer ones."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click
from flask.cli import with_appcontext

from core.keys.known import Keyring, Reason
from core.keys.report import key_uses, latest_rotation
from core.keys.rotate import begin_rotation, stop_rotation
from core.keys.settle import settle_keys
from core.workbench import Workbench
from miniapp_api.services import services
from models.errors import Unavailable
from models.vault_key import KeyRotation, Ring


@click.command("rotate-keys")
@click.option("--status", is_flag=True, help="Tell how far it is and how many values carry which key; change nothing.")
@click.option("--stop", is_flag=True, help="Stop after the piece in hand; without options it goes on.")
@with_appcontext
def rotate_keys_command(status: bool, stop: bool) -> None:
    """Bring every sealed and hashed value under the active keys, in a job of the worker. Prints lines of JSON.

    Afterwards `--status` says of each key whether it may be taken out of the key file. Where a key is missing or wrong,
    it says which, and ends with 1.
    """
    if status and stop:
        raise click.UsageError("--status and --stop are two things")
    workbench = services().workbench
    try:
        if status:
            _tell_status(workbench)
        elif stop:
            _tell(_rotation(workbench.transactions.write(lambda session, now: stop_rotation(session, now=now))))
        else:
            _begin(workbench)
    except Unavailable as error:
        sys.exit(f"the database is busy or away ({error.code}): run the command again")


commands: tuple[click.Command, ...] = (rotate_keys_command,)


def _begin(workbench: Workbench) -> None:
    _end_where_any([_in_words(fault.reason, fault.ring, fault.key_id) for fault in settle_keys(workbench)])
    keyring = Keyring(workbench.vault, workbench.tickets)
    begun = workbench.transactions.write(lambda session, now: begin_rotation(session, keyring, now=now))
    _tell(_rotation(begun))


def _tell_status(workbench: Workbench) -> None:
    _tell(_rotation(workbench.transactions.read(lambda session, _now: latest_rotation(session))))
    uses = key_uses(workbench)
    for use in uses:
        _tell(asdict(use))
    _end_where_any([_in_words(use.fault, use.ring, use.key_id) for use in uses if use.fault is not None])


def _in_words(reason: Reason, ring: Ring, key_id: int | None) -> str:
    return f"{reason}: key {key_id} of the ring {ring}"


def _end_where_any(faults: list[str]) -> None:
    """Raises: SystemExit."""
    if faults:
        sys.exit("\n".join(faults))


def _rotation(rotation: KeyRotation | None) -> dict[str, Any]:
    if rotation is None:
        return {"rotation": None}
    states = (("finished", rotation.finished_at), ("stopped", rotation.stopped_at), ("under_way", rotation.started_at))
    return {
        "rotation": next(state for state, since in states if since is not None),
        "sealing_key": rotation.sealing_key,
        "hashing_key": rotation.hashing_key,
        "table": rotation.table_name,
        "passes": rotation.passes,
        "changed": rotation.changed,
        "failed": rotation.failed,
        "started_at": rotation.started_at,
        "finished_at": rotation.finished_at,
    }


def _tell(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, default=str))
