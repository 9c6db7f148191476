"""Alipay behind the core's ports: login, face, phone, payments, its events and its application gateway."""

from integrations.alipay.config import AlipayAccount, AlipayCertificates
from integrations.alipay.login import AlipayMiniappLogin
from integrations.alipay.pay import AlipayGateway

__all__ = ["AlipayAccount", "AlipayCertificates", "AlipayGateway", "AlipayMiniappLogin"]
