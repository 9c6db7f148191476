"""Alipay behind the core's ports: login, face, phone, payments, its events and its application gateway."""

from integrations.alipay.config import AlipayAccount, AlipayCertificates
from integrations.alipay.login import AlipayMiniappLogin

__all__ = ["AlipayAccount", "AlipayCertificates", "AlipayMiniappLogin"]
