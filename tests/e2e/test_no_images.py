"""F-06: no picture of a face is received or stored. Faces are checked with both wallets, whose platforms answer with
pictures that nobody asked for, whose mini-programs send some along, and strangers post others: nothing of them stays,
not in the database, not in the logs, not in a file.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from canaries import all_logged
from cases import make_known
from running import blank_postgres
from stage import Stage, on_stage
from traces import bytes_of, traces
from wire import new_key

from core.keys.stored import STORED
from migrations import upgrade
from models import Base
from models.account import Provider
from sandbox.alipay import certify
from sandbox.app import Running
from sandbox.testing import running_sandbox
from sandbox.wechat import face

PICTURES = {
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + os.urandom(48),
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + os.urandom(48),
    "webp": b"RIFF\x44\x00\x00\x00WEBPVP8 " + os.urandom(48),
    "mp4": b"\x00\x00\x00\x20ftypisom" + os.urandom(48),
}
BEGINNINGS = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"\x00\x00\x00\x18ftyp", b"\x00\x00\x00\x20ftyp",
    b"/9j/", b"iVBORw0K", b"R0lGOD", b"UklGR", b"data:image", b"data:video",
)  # fmt: skip
"""How a cell or a file begins that is one, as it is or in base64."""
TYPES = ("image/jpeg", "multipart/form-data; boundary=x", "application/octet-stream", "video/mp4")


def told(kind: str) -> str:
    return b64encode(PICTURES[kind]).decode()


@pytest.fixture(scope="module")
def talkative() -> Iterator[None]:
    """Both platforms answer with more than they were asked for."""
    wechat, alipay = face.query, certify.success

    def with_pictures(*given: Any) -> dict[str, Any]:
        return {**wechat(*given), "best_img": told("jpeg"), "img_base64": told("png"), "video": told("mp4")}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(face, "query", with_pictures)
        patch.setattr(
            certify, "success", lambda **said: alipay(**{**said, "material_info": told("jpeg"), "photo": told("webp")})
        )
        yield


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def places(
    request: pytest.FixtureRequest, talkative: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, bytes]]:
    """Everything that is left: each cell, each file, the log."""
    folder = tmp_path_factory.mktemp(f"faces-{request.param}")
    with running_sandbox(folder / "sandbox", settle_delay=0.01) as platform:
        if request.param == "sqlite":
            yield _after(platform, f"sqlite:///{folder / 'data' / 'yuezhen.db'}", folder / "data")
        else:
            with blank_postgres(request.getfixturevalue("postgres_server")) as url:
                yield _after(platform, url, folder / "data")


def _after(platform: Running, url: str, data: Path) -> dict[str, bytes]:
    data.mkdir()
    upgrade(url)
    with on_stage(platform, url, data) as stage, all_logged() as lines:
        for provider, method, reference in (
            (Provider.WECHAT_MINIAPP, "wechat_face", "verifyId"),
            (Provider.ALIPAY_MINIAPP, "alipay_face", "certifyId"),
        ):
            show_a_face(stage, provider, method, reference)
        post_pictures(stage)
        left = {"the rows": bytes_of(stage.town.database), "the log": "\n".join(lines).encode()}
        left |= {f"cell {at}": cell for at, cell in enumerate(cells(stage))}
        return left | {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def show_a_face(stage: Stage, provider: Provider, method: str, reference: str) -> None:
    """The mini-program sends pictures along; first that is refused, then it does without."""
    somebody = stage.town.stranger(provider)
    make_known(stage, somebody)
    phone, path = somebody.phone, f"/dependents/{somebody.dependent_id}/identity-checks"
    for name in ("img_base64", "best_img", "video"):
        refused = phone.send("POST", path, {"method": method, name: told("jpeg")}, key=new_key())
        assert (refused.status, refused.code) == (422, "validation_failed")
    begun = phone.post(path, {"method": method})
    assert begun.status == 201, begun
    stage.control("POST", f"/identity/{begun.json['client_params'][reference]}/pass")
    completion = f"/identity-checks/{begun.json['id']}/completion"
    assert phone.send("POST", completion, {"best_img": told("jpeg")}).status == 422
    done = phone.send("POST", completion, {})
    assert (done.status, done.json["status"]) == (200, "passed"), done
    assert not [kind for kind in PICTURES for trace in traces(told(kind)) if trace in done.body]


def post_pictures(stage: Stage) -> None:
    """At every kind of door, our own and the platforms'."""
    for kind, content_type in zip(PICTURES, TYPES, strict=False):
        for path in ("/callbacks/wechat-pay/demo", "/callbacks/alipay/demo", "/api/v1/sessions"):
            connection = HTTPConnection(stage.base_url.removeprefix("http://"), timeout=30)
            connection.request("POST", path, PICTURES[kind], {"Content-Type": content_type})
            answer = connection.getresponse()
            assert answer.status == (415 if path.startswith("/api") else 401 if "wechat" in path else 200)
            assert answer.read() != b"success"
            connection.close()


def cells(stage: Stage) -> Iterator[bytes]:
    """Each value that stands in the database, and what is inside of those that are sealed."""
    with stage.town.database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(table.select()):
                yield from (
                    one if isinstance(one, bytes) else one.encode() for one in row if isinstance(one, bytes | str)
                )
        for stored in STORED:
            for found in session.execute(stored.table.select()).mappings():
                for column in stored.sealed:
                    sealed = column.sealed(found)
                    if sealed is not None:
                        yield column.opened(stage.town.vault, found, sealed)


def test_f_06_no_picture_is_left_anywhere(places: dict[str, bytes]) -> None:
    assert b"passed" in places["the rows"]
    assert b"message_refused" in places["the log"]
    assert [name for name, content in places.items() if content.startswith(BEGINNINGS)] == []
    kept = [
        (name, kind)
        for kind, picture in PICTURES.items()
        for spelled in (picture, *traces(told(kind)))
        for name, content in places.items()
        if spelled in content or picture[12:44] in content
    ]
    assert kept == []
