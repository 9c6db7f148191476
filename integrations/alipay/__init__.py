"""Alipay behind the core's ports: login, face, phone, payments, bills, its events and its application gateway."""

from integrations.alipay.bill_source import AlipayBillSource
from integrations.alipay.config import AlipayAccount, AlipayCertificates
from integrations.alipay.events import AlipayMessageReader
from integrations.alipay.face import AlipayFaceVerifier
from integrations.alipay.gateway import AlipayAppGateway
from integrations.alipay.login import AlipayMiniappLogin
from integrations.alipay.pay import AlipayGateway
from integrations.alipay.phone import AlipayPhoneProver
from integrations.alipay.wap import AlipayWapGateway, AlipayWapReturn

__all__ = [
    "AlipayAccount",
    "AlipayAppGateway",
    "AlipayBillSource",
    "AlipayCertificates",
    "AlipayFaceVerifier",
    "AlipayGateway",
    "AlipayMessageReader",
    "AlipayMiniappLogin",
    "AlipayPhoneProver",
    "AlipayWapGateway",
    "AlipayWapReturn",
]
