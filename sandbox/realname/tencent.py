"""IdCardVerification of faceid 2018-03-01."""

from sandbox.cloud.tencent import TencentCall, TencentError, answer, read_body
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Dropped, Result
from sandbox.faults import Fault
from sandbox.keys import CloudAccount
from sandbox.realname import register

FIELDS: dict[str, type] = {"IdCard": str, "Name": str}
RESULTS = {register.MATCH: "0", register.MISMATCH: "-1", register.NO_RECORD: "-5", register.SERVICE_DOWN: "-4"}


class TencentMatch(TencentCall[CloudAccount]):
    """One question. No name and no number goes to the log of calls."""

    service = "faceid"
    action = "IdCardVerification"
    version = "2018-03-01"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, "realname.tencent", None, {})

    def account(self) -> CloudAccount:
        """The sandbox's own at Tencent Cloud."""
        return self.sandbox.keys.realname_account("tencent")

    def success(self, result: Result) -> Answer:
        """A Result for the person."""
        return answer(result or {})

    def failure(self, fault: Fault) -> Answer:
        """InternalError or RequestLimitExceeded, unless the script names another code or a bare status."""
        status = int(fault.params.get("status", 200))
        if status != 200:
            return Answer(status, b"<html><body>error</body></html>", {"Content-Type": "text/html"})
        usual = "RequestLimitExceeded" if fault.kind == "rate_limited" else "InternalError"
        message = str(fault.params.get("message", "scripted"))
        return answer({"Error": {"Code": str(fault.params.get("code", usual)), "Message": message}})

    def match(self, _account: CloudAccount) -> Result:
        """Raises: TencentError, Dropped."""
        asked = read_body(FIELDS, FIELDS)
        if not register.is_number(asked["IdCard"]):
            return {"Result": "-2", "Description": "非法身份证号"}
        if not register.is_name(asked["Name"]):
            return {"Result": "-3", "Description": "非法姓名"}
        told = register.answer_for(self.sandbox, asked["Name"], asked["IdCard"])
        if told == register.TIMEOUT:
            self.sandbox.pause(register.TIMEOUT_SECONDS)
            raise Dropped
        if told == register.RATE_LIMITED:
            raise TencentError("RequestLimitExceeded")
        return {"Result": RESULTS[told], "Description": "sandbox"}
