"""What a video may have: 2 GB where it came by a form, else what the house says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.media_policy import INTAKE, MIB
from reelflow.exceptions import MediaRejectedError
from reelflow.ledger.models import Account, Media
from reelflow.services.intake.house_policy import FORM_MAX_BYTES, form_policy, policy_of
from reelflow.services.intake.lone_media import measure_lone_media
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.prepare import validate
from reelflow.services.intake.rejection import reject
from reelflow.services.intake.submit import create_post
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, read_post
from tests.intake_users import ANN, upload
from tests.media_files import h264_mp4


def came_from(origin: str) -> Media:
    return Media(inbox_path=origin, source_path="media/a.mp4")


@pytest.mark.parametrize("origin", ["form.er/a.mp4", "acme/form:a.mp4", "upload:ab12"])
def test_what_came_by_no_form_keeps_the_rules_of_the_house(origin: str) -> None:
    assert policy_of(came_from(origin), INTAKE) == INTAKE


@given(house_bytes=st.integers(1, 4096 * MIB))
def test_a_form_takes_what_it_was_signed_for_and_all_other_rules_stay(house_bytes: int) -> None:
    house = replace(INTAKE, max_size_bytes=house_bytes)
    policy = policy_of(came_from("form:ab12"), house)
    assert policy.max_size_bytes == max(house_bytes, FORM_MAX_BYTES)
    assert replace(policy, max_size_bytes=house_bytes) == house
    assert policy == form_policy(house)


@pytest.fixture
def strict(workspace: Workspace) -> Workspace:
    """A house in which no real video is small enough."""
    house = replace(workspace.rules.house, max_size_bytes=1000)
    return replace(workspace, rules=replace(workspace.rules, house=house))


def post_of(workspace: Workspace, media: Media) -> int:
    wish = PostWish.parse({"account": "acme", "privacy_level": "SELF_ONLY"}, "video")
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        made = create_post(session, user=ANN, wish=wish, media=[media], now=now, actor=ACTOR)
        return made.post.id


@pytest.mark.usefixtures("account")
def test_validating_judges_what_came_by_a_form_by_its_own_size(strict: Workspace) -> None:
    content = h264_mp4().read_bytes()
    post_id = post_of(strict, upload(strict, content=content, by_form=True))
    assert validate(strict, post_id, run_id="run", actor=ACTOR)


def test_it_is_so_still_when_the_file_was_in_the_quarantine(
    strict: Workspace, account: Account
) -> None:
    media = upload(strict, content=h264_mp4().read_bytes(), by_form=True)
    post_id = post_of(strict, media)
    told = {"rule": "cover", "value": "9 s", "limit": "2 s", "fix": "choose another"}
    reject(strict, post_id, [told], actor=ACTOR)
    assert read_post(strict, post_id).media.source_path.startswith(f"quarantine/{account.name}/")
    commands.retry(strict, post_id, actor=ACTOR)
    assert validate(strict, post_id, run_id="run", actor=ACTOR)


@pytest.mark.usefixtures("account")
def test_validating_judges_other_uploads_by_the_house(strict: Workspace) -> None:
    post_id = post_of(strict, upload(strict, content=h264_mp4().read_bytes()))
    with pytest.raises(MediaRejectedError, match=r"size: .* \(allowed: at most 0.0 MiB"):
        validate(strict, post_id, run_id="run", actor=ACTOR)


@pytest.mark.parametrize("by_form", [False, True])
def test_a_file_without_a_post_is_judged_in_the_same_way(strict: Workspace, by_form: bool) -> None:
    media = upload(strict, content=h264_mp4().read_bytes(), by_form=by_form)
    assert measure_lone_media(strict, media.id)
    with strict.ledger.read() as session:
        broken = session.get_one(Media, media.id).violations
    assert [one["rule"] for one in broken or ()] == ([] if by_form else ["size"])
