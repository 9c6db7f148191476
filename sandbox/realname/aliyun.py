"""Id2MetaVerify of cloudauth 2019-03-07."""

from sandbox.cloud.aliyun import AliyunCall, AliyunError, answer, params
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Dropped, Result
from sandbox.faults import Fault
from sandbox.keys import CloudAccount
from sandbox.realname import register

BIZ_CODES = {register.MATCH: "1", register.MISMATCH: "2", register.NO_RECORD: "3"}


class AliyunMatch(AliyunCall[CloudAccount]):
    """One question. No name and no number goes to the log of calls."""

    action = "Id2MetaVerify"
    version = "2019-03-07"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, "realname.aliyun", None, {})

    def account(self) -> CloudAccount:
        """The sandbox's own at Aliyun."""
        return self.sandbox.keys.realname_account("aliyun")

    def success(self, result: Result) -> Answer:
        """200 in words, and what the register says."""
        return answer(200, {"Code": "200", "Message": "success", "ResultObject": result or {}})

    def failure(self, fault: Fault) -> Answer:
        """402 or Throttling.User, unless the script names another code or status."""
        usual = "Throttling.User" if fault.kind == "rate_limited" else "402"
        told = {"Code": str(fault.params.get("code", usual)), "Message": str(fault.params.get("message", "scripted"))}
        return answer(int(fault.params.get("status", 200)), told)

    def match(self, _account: CloudAccount) -> Result:
        """Raises: AliyunError, Dropped."""
        asked = params()
        name, number = asked.get("UserName", ""), asked.get("IdentifyNum", "")
        if not (name and number and asked.get("ParamType")):
            raise AliyunError("400", "参数不能为空")
        if asked["ParamType"] != "normal" or not (register.is_name(name) and register.is_number(number)):
            raise AliyunError("401", "参数非法")
        told = register.answer_for(self.sandbox, name, number)
        if told == register.TIMEOUT:
            self.sandbox.pause(register.TIMEOUT_SECONDS)
            raise Dropped
        if told == register.SERVICE_DOWN:
            raise AliyunError("402", "权威源服务不可用")
        if told == register.RATE_LIMITED:
            raise AliyunError("Throttling.User", status=400)
        return {"BizCode": BIZ_CODES[told]}
