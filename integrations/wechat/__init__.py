"""WeChat behind the core's ports: login, face verification, phone, WeChat Pay and its messages."""

from integrations.wechat.config import MerchantAccount, MiniappAccount
from integrations.wechat.events import WeChatPayMessageReader
from integrations.wechat.face import WeChatFaceVerifier
from integrations.wechat.login import WeChatMiniappLogin
from integrations.wechat.pay import WeChatPayGateway
from integrations.wechat.phone import WeChatPhoneProver

__all__ = [
    "MerchantAccount",
    "MiniappAccount",
    "WeChatFaceVerifier",
    "WeChatMiniappLogin",
    "WeChatPayGateway",
    "WeChatPayMessageReader",
    "WeChatPhoneProver",
]
