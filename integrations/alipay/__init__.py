"""Alipay behind the core's ports: login, face, phone, payments, its events and its application gateway."""

from integrations.alipay.config import AlipayAccount, AlipayCertificates
from integrations.alipay.events import AlipayMessageReader
from integrations.alipay.face import AlipayFaceVerifier
from integrations.alipay.gateway import AlipayAppGateway
from integrations.alipay.login import AlipayMiniappLogin
from integrations.alipay.pay import AlipayGateway
from integrations.alipay.phone import AlipayPhoneProver

__all__ = [
    "AlipayAccount",
    "AlipayAppGateway",
    "AlipayCertificates",
    "AlipayFaceVerifier",
    "AlipayGateway",
    "AlipayMessageReader",
    "AlipayMiniappLogin",
    "AlipayPhoneProver",
]
