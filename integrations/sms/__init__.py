"""Text messages behind the core's port: Aliyun and Tencent Cloud, with what integrations.cloud shares."""

from integrations.sms.aliyun import AliyunSmsGateway
from integrations.sms.config import OWN_URLS, SmsAccount
from integrations.sms.tencent import TencentSmsGateway

__all__ = ["OWN_URLS", "AliyunSmsGateway", "SmsAccount", "TencentSmsGateway"]
