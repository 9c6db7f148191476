"""Text messages behind the core's port: Aliyun and Tencent Cloud, both signed by hand (libraries.md: their SDKs weigh
34 and 3 MB for twenty lines)."""

from integrations.sms.aliyun import AliyunSmsGateway
from integrations.sms.config import OWN_URLS, SmsAccount
from integrations.sms.tencent import TencentSmsGateway

__all__ = ["OWN_URLS", "AliyunSmsGateway", "SmsAccount", "TencentSmsGateway"]
