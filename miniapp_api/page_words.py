"""What the pages say, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Mapping

from core.identity.consent_texts import CHINESE, ENGLISH

_CHINESE: Mapping[str, str] = {
    "name": "约诊",
    "other_language": "English",
    "other_language_code": ENGLISH,
    "stand_in_title": "请先使用完整服务",
    "stand_in_text": "您正在查看快照页，我们无法确认您是谁，因此没有登录。"
    "请点击页面底部的“使用完整服务”，再点下面的按钮重新进入。",
    "denied_title": "您没有同意登录",
    "denied_text": "没有登录，也没有保存任何信息。需要时可以再试一次。",
    "expired_title": "这次登录已失效",
    "expired_text": "登录链接只能使用一次，十分钟内有效，并且要在同一个微信里打开。请重新进入。",
    "refused_title": "微信没有确认这次登录",
    "refused_text": "可能等待太久，或者页面被打开了两次。请重新进入。",
    "unavailable_title": "暂时无法登录",
    "unavailable_text": "微信现在没有回应，您的预约不受影响。请稍后再试。",
    "bad_target_title": "链接有误",
    "bad_target_text": "这个链接不是我们的页面，没有打开。您可以从首页重新进入。",
    "again": "重新进入",
}
_ENGLISH: Mapping[str, str] = {
    "name": "Yuezhen",
    "other_language": "中文",
    "other_language_code": CHINESE,
    "stand_in_title": "Please use the full service first",
    "stand_in_text": "This is a snapshot of the page: we cannot tell who you are, so you are not logged in. "
    "Tap “使用完整服务” (use full service) at the bottom of the page, then the button below.",
    "denied_title": "You did not agree to log in",
    "denied_text": "You are not logged in and nothing was kept. You can try again whenever you like.",
    "expired_title": "This login is no longer valid",
    "expired_text": "A login link works once, for ten minutes, and in the same WeChat. Please try again.",
    "refused_title": "WeChat did not confirm this login",
    "refused_text": "It may have taken too long, or the page was opened twice. Please try again.",
    "unavailable_title": "Login is not possible just now",
    "unavailable_text": "WeChat gives no answer at the moment. Your appointments are safe. Please try again later.",
    "bad_target_title": "This link is not right",
    "bad_target_text": "It does not lead to a page of ours and was not opened. You can begin at our first page.",
    "again": "Try again",
}
WORDS: Mapping[str, Mapping[str, str]] = {CHINESE: _CHINESE, ENGLISH: _ENGLISH}
