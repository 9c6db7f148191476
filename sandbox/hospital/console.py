"""What the console hands out and takes in."""

import json
from typing import Any

from sandbox.context import Sandbox
from sandbox.hospital import ledger
from sandbox.store import first


def credentials(sandbox: Sandbox, root: str) -> list[dict[str, Any]]:
    """The account in the form of `PLATFORMS_FILE`."""
    key = sandbox.keys.hospital
    return [{"system": key.system, "key_id": key.key_id, "secret": key.secret, "base_url": f"{root}/hospital"}]


def claims(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The book, oldest first."""
    rows = sandbox.store.all("select * from hospital_claims order by created_at, claim")
    return [{**ledger.shown(row), "place": row["place"], "paid_fen": row["paid_fen"]} for row in rows]


def add_offer(sandbox: Sandbox, hospital: str, content: dict[str, Any]) -> None:
    """One more half day on offer."""
    with sandbox.store.transaction() as tx:
        written = json.dumps(content, ensure_ascii=False)
        tx.execute("insert into hospital_offers (hospital, content) values (?, ?)", (hospital, written))


def add_visit(sandbox: Sandbox, claim: str, kind: str) -> bool:
    """Whether there is such a claim to have been visited."""
    with sandbox.store.transaction() as tx:
        known = first(tx, "select place from hospital_claims where claim = ?", (claim,))
        if known is None or not known["place"]:
            return False
        tx.execute(
            "insert into hospital_visits (hospital, claim, kind, at) values (?, ?, ?, ?)",
            (json.loads(known["place"])[0], claim, kind, sandbox.clock.now()),
        )
        return True
