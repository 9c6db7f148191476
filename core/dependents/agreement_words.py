"""What a grown-up agrees to when an account is to book for them: versioned, and asked anew when its meaning changes.

The Chinese text binds. A test pins each version to its text.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "2026-11"
CHINESE, ENGLISH = "zh-CN", "en"

_TITLE = {CHINESE: "同意他人为本人预约", ENGLISH: "Agreeing that somebody books for you"}
_TEXT = {
    CHINESE: (
        "一位用户已将您添加为就诊人，希望使用您的姓名、证件号码和手机号，在本平台为您预约挂号、缴费、取消预约，并查看这些预约。"
        "您可以同意，也可以不同意；不同意不影响您使用自己的账号预约。"
        "同意的方式：将发送到您本人手机的验证码告知对方，或由您本人完成人脸核验，或到医院窗口当面表示同意。"
        "我们保存您同意的时间、方式和本说明的版本，自同意结束起保存三年。"
        "您可以随时撤回：登录自己的账号撤回，请对方撤回，或到医院窗口撤回。撤回后对方立即不能再为您新预约，已有的预约不受影响。"
    ),
    ENGLISH: (
        "Somebody has added you as a dependent and would like to use your name, document number and phone to book, "
        "pay for and cancel appointments for you on this platform, and to see those appointments. "
        "You may agree or not; if you do not, you can still book from an account of your own. "
        "To agree, tell them the code that was sent to your own phone, complete a face check yourself, or say so at "
        "the hospital's desk. "
        "We keep when and how you agreed and the version of this text, for three years after it has ended. "
        "You may withdraw at any time: from your own account, by asking them, or at the desk. From then on they can "
        "book nothing new for you; what is booked already stays."
    ),
}  # fmt: skip


@dataclass(frozen=True)
class AgreementText:
    version: str
    title: str
    text: str


def agreement_text(*, language: str) -> AgreementText:
    """The text in force. A language we do not have is answered in Chinese."""
    known = language if language in _TEXT else CHINESE
    return AgreementText(VERSION, _TITLE[known], _TEXT[known])
