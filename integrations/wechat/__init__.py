"""WeChat behind the core's ports: logins, face, phone, the official account, WeChat Pay, its bills and its messages."""

from integrations.wechat.bill_source import WeChatBillSource
from integrations.wechat.config import MerchantAccount, MiniappAccount
from integrations.wechat.conversation import WeChatConversation
from integrations.wechat.events import WeChatPayMessageReader
from integrations.wechat.face import WeChatFaceVerifier
from integrations.wechat.h5 import WeChatH5Gateway
from integrations.wechat.links import WeChatMiniappLinks
from integrations.wechat.login import WeChatMiniappLogin
from integrations.wechat.menu import MenuPlace
from integrations.wechat.official import WeChatOfficialAccount
from integrations.wechat.official_config import OfficialAccountConfig, PushMode
from integrations.wechat.official_login import WeChatPageLogin
from integrations.wechat.pay import WeChatPayGateway
from integrations.wechat.phone import WeChatPhoneProver
from integrations.wechat.shipping import WeChatShippingReporter

__all__ = [
    "MenuPlace",
    "MerchantAccount",
    "MiniappAccount",
    "OfficialAccountConfig",
    "PushMode",
    "WeChatBillSource",
    "WeChatConversation",
    "WeChatFaceVerifier",
    "WeChatH5Gateway",
    "WeChatMiniappLinks",
    "WeChatMiniappLogin",
    "WeChatOfficialAccount",
    "WeChatPageLogin",
    "WeChatPayGateway",
    "WeChatPayMessageReader",
    "WeChatPhoneProver",
    "WeChatShippingReporter",
]
