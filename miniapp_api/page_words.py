"""What the pages say, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from core.clock import HOSPITAL_ZONE
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
    "too_many_title": "操作太频繁",
    "too_many_text": "这个网络现在登录的人太多。请稍等一分钟，再重新进入。",
    "again": "重新进入",
    "no_link_title": "暂时打不开小程序",
    "no_link_text": "微信现在没有回应。您也可以在微信里搜索本院小程序进入。",
    "home_title": "预约挂号",
    "home_text": "在这里查看自己的预约。挂号、支付和人脸核验请在小程序里完成。",
    "no_script": "请开启浏览器的脚本功能后查看自己的预约。",
    "waiting": "正在查询……",
    "login_failed": "登录链接已失效，请重新登录。",
    "foreign_handoff": "这个登录链接不是在本机打开的，没有登录。",
    "login_ended": "登录已过期，请重新登录。",
    "logged_out": "已退出登录。",
    "no_answer": "暂时没有回应，您的预约不受影响。请稍后再试。",
    "not_logged_in": "登录后可查看自己的预约。",
    "log_in": "微信登录",
    "no_login_here": "这里暂未开通登录。",
    "log_out": "退出登录",
    "go_on_title": "在小程序中继续",
    "go_on_text": "挂号、支付、退号和人脸核验都在小程序里，账号是同一个。",
    "go_on": "打开小程序",
    "open_numbers": "可约号源",
    "none_open": "暂时没有可约的号。",
    "left": "余",
    "logged_in_as": "当前登录：",
    "somebody": "微信用户",
    "next_appointments": "待就诊的预约",
    "none_upcoming": "没有待就诊的预约。",
    "in_miniapp": "在小程序中查看",
    "pay_until": "请在小程序中支付，截止",
    "morning": "上午",
    "afternoon": "下午",
    "evening": "晚上",
    "all_day": "全天",
    "status_pending": "待确认",
    "status_booked": "预约成功",
    "status_arrived": "已签到",
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
    "too_many_title": "Too many logins",
    "too_many_text": "Many people of this network are logging in just now. Please wait a minute and try again.",
    "again": "Try again",
    "no_link_title": "The mini-program cannot be opened just now",
    "no_link_text": "WeChat gives no answer at the moment. You can also search for our mini-program inside WeChat.",
    "home_title": "Hospital appointments",
    "home_text": "See your appointments here. Booking, paying and face verification are done in the mini-program.",
    "no_script": "Please allow scripts in your browser to see your appointments.",
    "waiting": "Looking …",
    "login_failed": "This login link is no longer valid. Please log in again.",
    "foreign_handoff": "This login link was not opened on this device. You are not logged in.",
    "login_ended": "Your login has ended. Please log in again.",
    "logged_out": "You are logged out.",
    "no_answer": "There is no answer just now. Your appointments are safe. Please try again later.",
    "not_logged_in": "Log in to see your appointments.",
    "log_in": "Log in with WeChat",
    "no_login_here": "Login is not open here yet.",
    "log_out": "Log out",
    "go_on_title": "Go on in the mini-program",
    "go_on_text": "Booking, paying, cancelling and face verification are there, with the same account.",
    "go_on": "Open the mini-program",
    "open_numbers": "Open numbers",
    "none_open": "No open numbers now.",
    "left": "left:",
    "logged_in_as": "Logged in:",
    "somebody": "WeChat user",
    "next_appointments": "Next appointments",
    "none_upcoming": "No upcoming appointments.",
    "in_miniapp": "Open in the mini-program",
    "pay_until": "pay in the mini-program until",
    "morning": "morning",
    "afternoon": "afternoon",
    "evening": "evening",
    "all_day": "all day",
    "status_pending": "not yet confirmed",
    "status_booked": "booked",
    "status_arrived": "checked in",
}
WORDS: Mapping[str, Mapping[str, str]] = {CHINESE: _CHINESE, ENGLISH: _ENGLISH}

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Saying:
    """Days, times and fees in one language. Times are the hospital's."""

    language: str

    def day(self, day: date) -> str:
        """11月25日 周三, Wed 25 Nov"""
        if self.language == CHINESE:
            return f"{day.month}月{day.day}日 周{'一二三四五六日'[day.weekday()]}"
        return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"

    def time(self, instant: datetime) -> str:
        return f"{instant.astimezone(HOSPITAL_ZONE):%H:%M}"

    def fee(self, fee_fen: int) -> str:
        free = "免费" if self.language == CHINESE else "free"
        return f"¥{fee_fen // 100}.{fee_fen % 100:02d}" if fee_fen else free
