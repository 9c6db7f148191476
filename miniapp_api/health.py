"""Is the process there, and can it serve? Each check is named; of keys also which one is wrong, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

import structlog
from flask import Response
from sqlalchemy import text

from core.keys.known import KeyFault
from core.keys.settle import check_keys
from migrations import is_at_head
from miniapp_api.openapi import endpoint, open_blueprint
from miniapp_api.services import services
from models.sealing import Vault
from schemas.health import HealthSchema, ReadinessSchema

blueprint = open_blueprint("health", "", limited=False)
BLUEPRINTS = (blueprint,)

_PROBE = UUID(int=0)
log = structlog.get_logger()


@endpoint(blueprint, "GET", "/healthz", reply=HealthSchema, summary="The process answers")
def get_health() -> Response:
    return _reply(200, {"status": "ok"})


@endpoint(
    blueprint, "GET", "/readyz", reply=ReadinessSchema, also={503: ReadinessSchema}, summary="It can serve requests"
)
def get_readiness() -> Response:
    checks: dict[str, Any] = {}
    for name, check in _CHECKS.items():
        # A database that is away is asked once and waited for once.
        away = name == "migrations" and checks["database"] == "failed"
        checks[name] = "failed" if away else _outcome(name, check)
    ready = all(outcome == "ok" for outcome in checks.values())
    # What is stored tells of the keys, where there is a database with the tables to ask.
    faults = _key_faults() if ready else []
    if faults is None:
        checks["keys"] = "failed"
    elif faults:
        checks |= {"keys": faults[0].reason, "key_faults": [asdict(fault) for fault in faults]}
    ready = ready and checks["keys"] == "ok"
    return _reply(200 if ready else 503, {"status": "ready" if ready else "not_ready", **checks})


def _outcome(name: str, check: Callable[[], bool]) -> str:
    try:
        if check():
            return "ok"
        log.warning("not_ready", check=name)
    except Exception:
        # Whatever is wrong belongs into the log; whoever asks learns only which check it was.
        log.warning("not_ready", check=name, exc_info=True)
    return "failed"


def _key_faults() -> list[KeyFault] | None:
    """None where that cannot be told."""
    try:
        return check_keys(services().workbench)
    except Exception:
        log.warning("not_ready", check="keys", exc_info=True)
        return None


def _database_answers() -> bool:
    return bool(services().workbench.transactions.read(lambda session, now: session.scalar(text("SELECT 1"))) == 1)


def _migrations_at_head() -> bool:
    engine = services().workbench.transactions.database.engine
    return is_at_head(engine.execution_options(read_only=True))  # a probe never waits for the writer's lock


def _keys_open() -> bool:
    vault = services().workbench.vault
    probe = Vault(sealing=vault.sealing, hashing=vault.hashing)  # also where this one is not trusted
    return probe.open_text("health.probe", _PROBE, probe.seal("health.probe", _PROBE, "probe")) == "probe"


_CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database_answers,
    "migrations": _migrations_at_head,
    "keys": _keys_open,
}


def _reply(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")
