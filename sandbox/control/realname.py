"""`/control/realname`: what the register answers about a number."""

from flask import Blueprint, Response, jsonify

from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, read
from sandbox.realname import register

realname_control = Blueprint("control_realname", __name__, url_prefix="/control/realname")
realname_control.before_request(check_access)


@realname_control.post("")
def set_answer() -> Response:
    """From now on, whatever the name; without `answer` the number is answered for as before."""
    given = read({"id_number": str}, {"answer": str})
    number, answer = given["id_number"], given.get("answer")
    if not register.is_number(number):
        raise ControlError(422, "wrong_format", "id_number: 18 characters of a resident ID")
    if answer is not None and answer not in register.ANSWERS:
        raise ControlError(422, "out_of_range", f"answer: {', '.join(register.ANSWERS)}")
    register.set_answer(this_sandbox(), number, answer)
    return jsonify({"id_number": number, "answer": answer})
