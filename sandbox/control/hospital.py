"""`/control/hospital`: the hospital's book, what it offers, and who came."""

from flask import Blueprint, Response, jsonify

from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, read
from sandbox.hospital import console, ledger

hospital_control = Blueprint("control_hospital", __name__, url_prefix="/control/hospital")
hospital_control.before_request(check_access)


@hospital_control.get("/claims")
def claims() -> Response:
    """Every claim, with its place and what was paid for it."""
    return jsonify({"items": console.claims(this_sandbox())})


@hospital_control.post("/half-days")
def offer() -> tuple[Response, int]:
    """Offer one half day, as the hospital's system will tell it."""
    given = read({"hospital": str, "half_day": dict})
    console.add_offer(this_sandbox(), given["hospital"], given["half_day"])
    return jsonify(given), 201


@hospital_control.post("/visits")
def visit() -> tuple[Response, int]:
    """The patient of a claim came, was seen, or did not come."""
    given = read({"claim": str, "kind": str})
    if given["kind"] not in ledger.VISITS:
        raise ControlError(422, "out_of_range", f"kind: {', '.join(ledger.VISITS)}")
    if not console.add_visit(this_sandbox(), given["claim"], given["kind"]):
        raise ControlError(404, "claim_not_found")
    return jsonify(given), 201
