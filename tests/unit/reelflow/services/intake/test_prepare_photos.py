"""Preparing photo posts on real images: all violations at once, one key, one cover."""

import io
import json
import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest
from PIL import Image

from reelflow.domain.photos import photo_post_sha256
from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import MediaRejectedError, PostNotTakeableError
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.cleanup import clean_up_files
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.intake.register import register_inbox
from reelflow.services.intake.rejection import quarantine
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import ACTOR, change_post, make_account, read_post
from tests.photo_files import drop_folder, image, make_photo_post, media_of

RUN = "run"
ONE, TWO, WEBP = image(shade=1), image(shade=2), image("WEBP")
TRIP = {"1.jpg": ONE, "2.jpg": TWO, "3.webp": WEBP}


def registered(
    workspace: Workspace,
    account: Account,
    images: Mapping[str, bytes] = TRIP,
    *,
    name: str = "trip",
    sidecar: Mapping[str, Any] | None = None,
) -> Post:
    drop_folder(workspace, account, name, images, sidecar)
    run = NormalRun(RUN, workspace.ledger.now(), workspace.rules.max_lateness)
    (post_id,) = register_inbox(workspace, run=run, actor=ACTOR)
    return read_post(workspace, post_id)


def check(workspace: Workspace, post: Post) -> str:
    return validate(workspace, post.id, run_id=RUN, actor=ACTOR)


def hashes(*contents: bytes) -> list[str]:
    return [sha256(content).hexdigest() for content in contents]


def rejected(workspace: Workspace, post: Post) -> list[dict[str, str]]:
    with pytest.raises(MediaRejectedError) as refused:
        check(workspace, post)
    assert read_post(workspace, post.id).state is PostState.REJECTED
    return refused.value.violations


def test_good_images_are_measured_hashed_and_keyed_together(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    key = photo_post_sha256(hashes(ONE, TWO, WEBP))
    assert check(workspace, post) == key
    assert read_post(workspace, post.id).sha256 == key
    files = media_of(workspace, post)
    assert [media.sha256 for media in files] == hashes(ONE, TWO, WEBP)
    assert [(media.facts or {})["container"] for media in files] == ["jpeg", "jpeg", "webp"]
    assert {media.validated_at for media in files} == {workspace.ledger.now()}
    for media in files:
        workspace.folders.delete_source(media.source_path)
    assert check(workspace, post) == key  # a cleared task finds its work done


def test_metadata_of_every_image_is_stored_and_the_cover_is_the_one_that_was_wished(
    workspace: Workspace, account: Account
) -> None:
    red = image(size=(300, 150), shade=255)
    post = registered(workspace, account, {"1.jpg": ONE, "2.jpg": red}, sidecar={"cover_index": 1})
    check(workspace, post)
    measured = extract_metadata(workspace, post.id, run_id=RUN)
    first = {"container": "jpeg", "display_width": 160, "display_height": 120}
    second = {"container": "jpeg", "display_width": 300, "display_height": 150}
    assert measured == {"images": [first, second]}
    assert [media.display_width for media in media_of(workspace, post)] == [160, 300]
    relative = generate_thumbnail(workspace, post.id, run_id=RUN, actor=ACTOR)
    with Image.open(data_folder(workspace).path(relative)) as cover:
        assert cover.size == (300, 150)
    files = media_of(workspace, post)
    assert [media.thumbnail_path for media in files] == [None, relative]
    assert generate_thumbnail(workspace, post.id, run_id=RUN, actor=ACTOR) == relative
    assert extract_metadata(workspace, post.id, run_id=RUN) == measured


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def noise() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((200, 200), 50).convert("RGB").save(written, "JPEG")
    return written.getvalue()


def test_all_violations_of_all_images_are_told_at_once_and_name_their_image(
    workspace: Workspace, account: Account
) -> None:
    images = {
        "1.jpg": ONE,
        "2.gif": image("GIF"),
        "3.jpg": image("JPEG", (4097, 200)),
        "4.jpg": b"",
        "5.jpg": cut(noise()),
        "6.txt": b"notes of the trip",
        "7.webp": TWO,
    }
    post = registered(workspace, account, images, sidecar={"caption": "x"})
    told = [(v["rule"], v["value"].partition(":")[0]) for v in rejected(workspace, post)]
    assert told == [
        ("photo_type", "trip/2.gif"),
        ("resolution", "trip/3.jpg"),
        ("empty", "trip/4.jpg"),
        ("truncated", "trip/5.jpg"),
        ("photo_type", "trip/6.txt"),
        ("extension", "trip/7.webp"),
    ]
    after = read_post(workspace, post.id)
    assert after.reason_code == "photo_type"
    aside = data_folder(workspace).quarantine / "acme"
    reason = json.loads((aside / f"{post.id}.reason.json").read_text())
    assert reason["files"] == [f"trip/{name}" for name in images]
    assert reason["release"] == f"reelflow posts retry {post.id}"
    assert len(reason["violations"]) == 6
    assert (aside / f"{post.id}.json").is_file()
    kept = [data_folder(workspace).path(m.source_path) for m in media_of(workspace, post)]
    assert [path.read_bytes() for path in kept] == list(images.values())
    assert {path.parent for path in kept} == {aside / str(post.id)}


def test_36_images_are_rejected_as_too_many(workspace: Workspace, account: Account) -> None:
    images = {f"{number}.jpg": ONE for number in range(36)}
    (broken,) = rejected(workspace, registered(workspace, account, images))
    assert (broken["rule"], broken["value"]) == ("photo_count", "36 images")


def test_what_is_no_plain_file_is_rejected_and_not_followed(
    workspace: Workspace, account: Account
) -> None:
    folder = drop_folder(workspace, account, "trip", {"1.jpg": ONE})
    (folder / "2.jpg").symlink_to("/etc/hostname")
    os.mkfifo(folder / "3.jpg")
    run = NormalRun(RUN, workspace.ledger.now(), workspace.rules.max_lateness)
    (post_id,) = register_inbox(workspace, run=run, actor=ACTOR)
    broken = rejected(workspace, read_post(workspace, post_id))
    assert [v["rule"] for v in broken] == ["media_unreadable", "media_unreadable"]


def test_an_image_that_changed_after_it_was_taken_is_rejected(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    second = media_of(workspace, post)[1]
    with data_folder(workspace).path(second.source_path).open("ab") as stream:
        stream.write(b"more")
    (broken,) = rejected(workspace, post)
    assert broken["rule"] == "source_changed"
    assert "trip/2.jpg changed" in broken["value"]


def test_a_retry_brings_all_images_and_the_sidecar_back_and_judges_them_again(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account, {"1.jpg": ONE, "2.gif": image("GIF")}, sidecar={})
    rejected(workspace, post)
    commands.retry(workspace, post.id, actor=ACTOR)
    files = media_of(workspace, post)
    assert [m.source_path for m in files] == [
        f"media/{m.id}{e}" for m, e in zip(files, (".jpg", ".gif"), strict=True)
    ]
    assert [v["rule"] for v in rejected(workspace, post)] == ["photo_type"]
    aside = data_folder(workspace).quarantine / "acme"
    assert (aside / f"{post.id}.json").is_file()


def test_a_crash_between_moving_and_its_rows_is_finished(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account, {"1.jpg": ONE, "2.gif": image("GIF")})
    rejected(workspace, post)
    wanted = [media.source_path for media in media_of(workspace, post)]
    with workspace.ledger.write() as session:
        for media in media_of(workspace, post):
            suffix = data_folder(workspace).path(media.source_path).suffix
            session.get_one(Media, media.id).source_path = f"media/{media.id}{suffix}"
    change_post(workspace, post.id, source_settled_at=None)
    quarantine(workspace, post.id)
    assert [media.source_path for media in media_of(workspace, post)] == wanted
    assert read_post(workspace, post.id).source_settled_at is not None


# The same images again


def test_the_same_images_again_are_a_duplicate_and_in_another_order_are_not(
    workspace: Workspace, account: Account
) -> None:
    first = registered(workspace, account, name="a")
    again = registered(workspace, account, name="b")
    turned = registered(
        workspace, account, name="c", sidecar={"images": ["2.jpg", "1.jpg", "3.webp"]}
    )
    check(workspace, first)
    with pytest.raises(PostNotTakeableError, match=f"the same bytes as post {first.id}"):
        check(workspace, again)
    assert read_post(workspace, again.id).reason == f"duplicate of post {first.id}"
    assert check(workspace, turned) != check(workspace, first)


def test_one_image_and_a_photo_post_of_it_have_different_keys(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account, {"1.jpg": ONE})
    assert check(workspace, post) not in hashes(ONE)


def test_a_repost_gets_a_slot_of_its_own(workspace: Workspace, account: Account) -> None:
    first = registered(workspace, account, name="a")
    again = registered(workspace, account, name="b", sidecar={"repost": True})
    assert check(workspace, first) == check(workspace, again)
    assert [read_post(workspace, post.id).slot for post in (first, again)] == [0, 1]


def test_a_held_photo_post_takes_over_what_the_same_images_wish(workspace: Workspace) -> None:
    account = make_account(workspace, "shy", inbox_privacy_level=None)
    held = registered(workspace, account, name="a", sidecar={"title": "old"})
    wishes = {"title": "new", "auto_add_music": True, "privacy_level": "SELF_ONLY"}
    newcomer = registered(workspace, account, name="b", sidecar={**wishes, "cover_index": 2})
    with pytest.raises(PostNotTakeableError):
        check(workspace, newcomer)
    after = read_post(workspace, held.id)
    assert (after.state, after.photo_cover_index) == (PostState.READY, 2)
    assert {name: getattr(after, name) for name in wishes} == wishes


# Cleaning up


def test_images_are_deleted_when_every_post_on_them_is_done(
    workspace: Workspace, account: Account
) -> None:
    done = make_photo_post(workspace, account, state=PostState.PUBLISHED)
    other = make_photo_post(
        workspace, account, images=[image(shade=9), image(shade=8)], state=PostState.READY
    )
    shared = media_of(workspace, done)[1]
    with workspace.ledger.write() as session:
        session.get_one(Post, other.id).media_id = shared.id
    sources = [
        data_folder(workspace).path(media.source_path) for media in media_of(workspace, done)
    ]
    assert not clean_up_files(workspace, done.id)
    assert [source.exists() for source in sources] == [False, True]
    assert read_post(workspace, done.id).source_settled_at is None
    change_post(workspace, other.id, state=PostState.IN_INBOX)
    assert clean_up_files(workspace, done.id)
    assert [source.exists() for source in sources] == [False, False]
    assert read_post(workspace, done.id).source_settled_at is not None
    assert clean_up_files(workspace, done.id)
