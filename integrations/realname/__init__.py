"""Registers that tell whether a name and a number belong together, behind the core's port: Aliyun's Id2MetaVerify and
Tencent Cloud's IdCardVerification."""

from integrations.realname.aliyun import AliyunNameMatcher
from integrations.realname.config import OWN_URLS, NameMatchAccount
from integrations.realname.tencent import TencentNameMatcher

__all__ = ["OWN_URLS", "AliyunNameMatcher", "NameMatchAccount", "TencentNameMatcher"]
