"""The paths of both platforms under `/realname`."""

from flask import Blueprint, Response

from sandbox.context import this_sandbox
from sandbox.realname.aliyun import AliyunMatch
from sandbox.realname.tencent import TencentMatch

registers = Blueprint("realname", __name__, url_prefix="/realname")


@registers.route("/aliyun/", methods=["GET", "POST"])
def aliyun() -> Response:
    """Every action of cloudauth goes to the same path."""
    exchange = AliyunMatch(this_sandbox())
    return exchange.serve(exchange.match)


@registers.post("/tencent/")
def tencent() -> Response:
    """Every action of API 3.0 goes to the same path."""
    exchange = TencentMatch(this_sandbox())
    return exchange.serve(exchange.match)
