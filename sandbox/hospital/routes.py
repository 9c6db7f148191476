"""The paths of a hospital's system under `/hospital`."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from sandbox.clock import china_time
from sandbox.context import this_sandbox
from sandbox.exchange import Result
from sandbox.hospital import ledger
from sandbox.hospital.call import HospitalCall, HospitalError
from sandbox.keys import HospitalKey

AT_ONCE = 50

hospital = Blueprint("hospital", __name__, url_prefix="/hospital")


@hospital.post("/patients/find")
def find_patient() -> Response:
    """A record by its document."""
    return _serve("find", None, lambda call: {"patient": ledger.find_patient(call.sandbox, call.asked)})


@hospital.post("/patients")
def create_patient() -> Response:
    """A record, made once for a document."""
    return _serve("create", None, lambda call: {"patient": ledger.create_patient(call.sandbox, call.asked)})


@hospital.put("/claims/<claim>")
def hold(claim: str) -> Response:
    """Hold a number."""
    return _serve("hold", claim, lambda call: ledger.hold(call.sandbox, claim, call.asked))


@hospital.post("/claims/<claim>/confirmation")
def confirm(claim: str) -> Response:
    """Make it the patient's."""
    return _serve("confirm", claim, lambda call: ledger.confirm(call.sandbox, claim, int(call.asked["paid_fen"])))


@hospital.post("/claims/<claim>/release")
def release(claim: str) -> Response:
    """Take it back."""
    return _serve("release", claim, lambda call: ledger.release(call.sandbox, claim))


@hospital.get("/claims/<claim>")
def ask(claim: str) -> Response:
    """Say where it stands."""
    return _serve("ask", claim, lambda call: ledger.ask(call.sandbox, claim))


@hospital.get("/hospitals/<name>/half-days")
def half_days(name: str) -> Response:
    """What is on offer."""
    first, last = request.args.get("first", ""), request.args.get("last", "9")
    return _serve("half_days", None, lambda call: {"items": ledger.offers(call.sandbox, name, first, last)})


@hospital.get("/hospitals/<name>/visits")
def visits(name: str) -> Response:
    """What happened after the cursor, a page at a time."""
    return _serve("visits", None, lambda call: _visits(call, name))


def _visits(call: HospitalCall, name: str) -> dict[str, Any]:
    after = request.args.get("after", "0")
    if not after.isdigit():
        raise HospitalError("cursor", "bad_cursor", 400)
    rows = ledger.visits(call.sandbox, name, int(after), AT_ONCE + 1)
    items = [
        {"id": str(row["id"]), "claim": row["claim"], "kind": row["kind"], "at": china_time(row["at"])}
        for row in rows[:AT_ONCE]
    ]
    return {"items": items, "cursor": items[-1]["id"] if items else after, "more": len(rows) > AT_ONCE}


def _serve(verb: str, claim: str | None, act: Callable[[HospitalCall], dict[str, Any]]) -> Response:
    call = HospitalCall(this_sandbox(), verb, claim)

    def deed(_key: HospitalKey) -> Result:
        try:
            return act(call)
        except ledger.No as no:
            raise HospitalError(no.reason, no.code) from no
        except (KeyError, TypeError, ValueError) as error:
            raise HospitalError("request", "malformed", 400) from error

    return call.serve(deed)
