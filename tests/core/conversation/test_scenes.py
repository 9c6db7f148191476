from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.conversation.scenes import LONGEST_SCENE, Scene, SceneKind, read_scene, write_scene

ID = UUID("0191d3a4-5b6c-7d8e-9fab-0123456789ab")


@given(st.sampled_from(SceneKind), st.uuids())
def test_a_scene_that_is_written_is_read_again_and_fits_a_code(kind: SceneKind, id: UUID) -> None:
    scene = Scene(kind, id)
    text = write_scene(scene)
    assert len(text) <= LONGEST_SCENE
    assert read_scene(text) == scene


@given(st.text(max_size=80) | st.from_regex(r"[a-z]{1,12}:[0-9A-Fa-f-]{30,40}", fullmatch=True))
def test_whatever_is_read_is_what_would_be_written(text: str) -> None:
    scene = read_scene(text)
    assert scene is None or write_scene(scene) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "doctor",
        "doctor:",
        f"doctor:{ID} ",
        f"doctor:{ID}\n",
        f"doctor:{str(ID).upper()}",
        f"doctor:{ID.hex}",
        f"doctor:{{{ID}}}",
        f"DOCTOR:{ID}",
        f"hospital:{ID}",
        f"qrscene_doctor:{ID}",
        f"doctor:{ID}:{ID}",
        "doctor:０191d3a4-5b6c-7d8e-9fab-0123456789ab",
    ],
)
def test_other_words_are_no_scene(text: str) -> None:
    assert read_scene(text) is None


def test_a_scene_opens_the_page_of_its_kind() -> None:
    assert write_scene(Scene(SceneKind.DOCTOR, ID)) == f"doctor:{ID}"
    assert Scene(SceneKind.DOCTOR, ID).page == "pages/doctor/index"
    assert Scene(SceneKind.DEPARTMENT, ID).page == "pages/department/index"
    assert Scene(SceneKind.APPOINTMENT, ID).query == {"id": str(ID)}
