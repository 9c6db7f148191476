"""The paths of both platforms under `/sms`."""

from flask import Blueprint, Response

from sandbox.context import this_sandbox
from sandbox.sms.aliyun import AliyunExchange
from sandbox.sms.tencent import TencentExchange

texts = Blueprint("sms", __name__, url_prefix="/sms")


@texts.route("/aliyun/", methods=["GET", "POST"])
def aliyun() -> Response:
    """Every action of dysmsapi goes to the same path."""
    exchange = AliyunExchange(this_sandbox())
    return exchange.serve(exchange.send)


@texts.post("/tencent/")
def tencent() -> Response:
    """Every action of API 3.0 goes to the same path."""
    exchange = TencentExchange(this_sandbox())
    return exchange.serve(exchange.send)
