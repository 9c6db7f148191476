"""Both platforms' face checks behind one face: what is shown before the camera, and how it ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sandbox.alipay import certify
from sandbox.context import Sandbox
from sandbox.phone import NotPossible
from sandbox.wechat import face


@dataclass(frozen=True)
class Check:
    """A check that a person is asked to pass; `outcomes` are the ways it can end, by value."""

    platform: tuple[str, str]
    person: str
    number: str
    state: str
    outcomes: Mapping[str, tuple[str, str]]
    return_url: str = ""


class Desk(Protocol):
    """One platform's face checks."""

    def find(self, sandbox: Sandbox, number: str) -> Check | None:
        """The check of this number."""

    def finish(self, sandbox: Sandbox, number: str, outcome: str) -> None:
        """End a check. Raises: NotPossible."""


class WechatFace:
    """wx.requestFacialVerify."""

    outcomes: Mapping[str, tuple[str, str]] = {
        str(face.PASSED): ("通过", "pass"),
        str(face.FACE_MISMATCH): ("人脸比对不通过", "another face"),
        "90002": ("用户取消", "give up"),
        "10003": ("身份证号不符", "another ID number"),
    }

    def find(self, sandbox: Sandbox, number: str) -> Check | None:
        """The check of this number."""
        found = face.describe(sandbox, number)
        if found is None:
            return None
        return Check(
            ("微信人脸核身", "WeChat face verification"),
            found["openid"],
            found["out_seq_no"],
            found["state"],
            self.outcomes,
        )

    def finish(self, sandbox: Sandbox, number: str, outcome: str) -> None:
        """End a check. Raises: NotPossible."""
        ended = face.finish(sandbox, number, int(outcome))
        if ended != "finished":
            raise NotPossible(f"verification_{ended}")


class AlipayFace:
    """The page that alipay.user.certify.open.certify leads to."""

    outcomes: Mapping[str, tuple[str, str]] = {"T": ("通过", "pass"), "F": ("人脸比对不通过", "another face")}

    def find(self, sandbox: Sandbox, number: str) -> Check | None:
        """The check of this number."""
        found = certify.describe(sandbox, number)
        if found is None:
            return None
        return Check(
            ("支付宝身份认证", "Alipay identity check"),
            found["name"],
            number,
            found["state"],
            self.outcomes,
            found["return_url"] if found["return_url"].startswith(("http://", "https://")) else "",
        )

    def finish(self, sandbox: Sandbox, number: str, outcome: str) -> None:
        """End a check. Raises: NotPossible."""
        certify.finish(sandbox, number, passed=outcome == "T")


DESKS: tuple[Desk, ...] = (WechatFace(), AlipayFace())
