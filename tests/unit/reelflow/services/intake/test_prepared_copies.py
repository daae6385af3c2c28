"""Photos that TikTok must not get as they are: a copy is there before the ledger tells of it."""

import io
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import photo_post_sha256
from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import InvalidObjectKeyError, MediaRejectedError
from reelflow.ledger.models import Account, Media, Post
from reelflow.media.inspection import inspect_source
from reelflow.services.cleanup import clean_up_files
from reelflow.services.intake.prepare import validate
from reelflow.services.intake.prepared_copies import make_copies
from reelflow.services.intake.register import register_inbox
from reelflow.services.intake.rejection import reject
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from reelflow.source import BytesSource
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import ACTOR, change_post, read_post
from tests.photo_files import drop_folder, image, media_of

RUN = "run"
PLAIN, PNG, LARGE = image(shade=1), image("PNG", shade=2), image(size=(2400, 1200))


def placed() -> bytes:
    """A photo on its side that says where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    written = io.BytesIO()
    Image.new("RGB", (160, 120), "red").save(written, "JPEG", exif=exif)
    return written.getvalue()


PLACED = placed()
TRIP = {"1.jpg": PLAIN, "2.png": PNG, "3.jpg": PLACED, "4.jpg": LARGE}


def registered(
    workspace: Workspace, account: Account, images: Mapping[str, bytes] = TRIP, name: str = "trip"
) -> Post:
    drop_folder(workspace, account, name, images)
    run = NormalRun(RUN, workspace.ledger.now(), workspace.rules.max_lateness)
    (post_id,) = register_inbox(workspace, run=run, actor=ACTOR)
    return read_post(workspace, post_id)


def check(workspace: Workspace, post: Post) -> str:
    return validate(workspace, post.id, run_id=RUN, actor=ACTOR)


def copies(workspace: Workspace) -> dict[str, bytes]:
    """What lies in the folder of copies, by its keys."""
    folder = data_folder(workspace).root / "prepared"
    return {f"prepared/{path.name}": path.read_bytes() for path in folder.iterdir()}


def rows(workspace: Workspace, post: Post) -> list[tuple[str | None, str | None, Any]]:
    files = media_of(workspace, post)
    return [(one.prepared_path, one.prepared_identity, one.prepared_facts) for one in files]


def path_of(workspace: Workspace, media: Media) -> Path:
    assert media.prepared_path is not None
    return data_folder(workspace).path(media.prepared_path)


def test_what_tiktok_must_not_get_is_copied_and_the_rest_is_not(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    key = photo_post_sha256([sha256(content).hexdigest() for content in TRIP.values()])
    assert check(workspace, post) == key
    plain, *copied = media_of(workspace, post)
    assert rows(workspace, post)[0] == (None, None, None)
    assert [one.prepared_path for one in copied] == [f"prepared/{one.id}.jpg" for one in copied]
    found = copies(workspace)
    assert sorted(found) == sorted(str(one.prepared_path) for one in copied)
    for media in copied:
        content = found[str(media.prepared_path)]
        facts = inspect_source(BytesSource(content))
        assert media.prepared_facts == facts.as_dict()
        assert (facts.container, facts.image_extras) == ("jpeg", ())
        assert b"Exif" not in content
        info = workspace.folders.store.stat(str(media.prepared_path))
        assert info is not None
        assert media.prepared_identity == info.identity
    sizes = [(one.prepared_facts or {})["width"] for one in copied]
    assert sizes == [160, 120, 1920]  # the second one is upright
    for media, content in zip([plain, *copied], TRIP.values(), strict=True):
        assert data_folder(workspace).path(media.source_path).read_bytes() == content
        assert (media.facts or {})["size_bytes"] == len(content)
        assert media.sha256 == sha256(content).hexdigest()


def test_a_plain_post_makes_no_copies(workspace: Workspace, account: Account) -> None:
    post = registered(workspace, account, {"1.jpg": PLAIN, "2.webp": image("WEBP")})
    check(workspace, post)
    assert rows(workspace, post) == [(None, None, None)] * 2
    assert copies(workspace) == {}


def test_a_rejected_post_leaves_no_copies(workspace: Workspace, account: Account) -> None:
    post = registered(workspace, account, {**TRIP, "5.jpg": b"text"})
    with pytest.raises(MediaRejectedError):
        check(workspace, post)
    assert copies(workspace) == {}


def test_an_image_that_cannot_be_decoded_to_be_copied_is_told_by_its_name(
    workspace: Workspace, account: Account
) -> None:
    post = registered(
        workspace, account, {"1.jpg": PLAIN, "2.png": b"\x89PNG\r\n\x1a\n", "3.png": PNG}
    )
    facts = [MediaFacts("png", "image", 9) for _ in range(3)]
    made, broken = make_copies(workspace, post, media_of(workspace, post), facts)
    assert len(made) == 2
    assert [(one.rule, one.value.partition(":")[0]) for one in broken] == [("image", "trip/2.png")]


def test_work_that_is_done_is_not_done_again(workspace: Workspace, account: Account) -> None:
    post = registered(workspace, account)
    key = check(workspace, post)
    before = rows(workspace, post)
    for media in media_of(workspace, post):
        workspace.folders.delete_source(media.source_path)
    assert check(workspace, post) == key
    assert rows(workspace, post) == before


# What a crash, or somebody, leaves


def in_child(work: Callable[[], object]) -> None:
    """Run something in another process that is killed where it stands."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize(
    ("statement", "nth"),
    [("BEGIN IMMEDIATE", 1), ("UPDATE media SET", 1), ("UPDATE posts SET", 1)],
)
def test_a_process_killed_between_the_copies_and_their_rows_is_followed_by_one_that_finishes(
    workspace: Workspace, account: Account, statement: str, nth: int
) -> None:
    post = registered(workspace, account)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def validate_and_die() -> None:
        with before_statement(workspace, statement, die, nth=nth):
            check(workspace, post)

    in_child(validate_and_die)
    left = copies(workspace)
    assert len(left) == 3
    assert rows(workspace, post) == [(None, None, None)] * 4
    assert {media.validated_at for media in media_of(workspace, post)} == {None}
    check(workspace, post)
    assert copies(workspace) == left
    assert_publishable(workspace, post)


def assert_publishable(workspace: Workspace, post: Post) -> None:
    """Check that the ledger tells of the very copies that lie there."""
    for media in media_of(workspace, post)[1:]:
        info = workspace.folders.store.stat(str(media.prepared_path))
        assert info is not None
        assert info.identity == media.prepared_identity


@pytest.mark.parametrize("left", ["half", "a link", "another picture"])
def test_what_lies_in_a_copys_place_is_replaced(
    workspace: Workspace, account: Account, left: str
) -> None:
    post = registered(workspace, account)
    media = media_of(workspace, post)[1]
    path = data_folder(workspace).root / "prepared" / f"{media.id}.jpg"
    if left == "a link":
        path.symlink_to("/etc/hostname")
    else:
        path.write_bytes(PLACED if left == "another picture" else PLAIN[:100])
    check(workspace, post)
    assert_publishable(workspace, post)
    assert not path.is_symlink()
    assert inspect_source(BytesSource(path.read_bytes())).image_extras == ()


def test_two_processes_that_validate_at_once_agree_on_the_copies(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    with ThreadPoolExecutor(2) as pool:
        keys = list(pool.map(lambda _: check(workspace, post), range(2)))
    assert len(set(keys)) == 1
    assert len(copies(workspace)) == 3
    assert_publishable(workspace, post)


def test_a_copy_that_cannot_be_kept_leaves_the_post_to_be_validated_later(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    folder = data_folder(workspace).root / "prepared"
    folder.rmdir()
    folder.write_bytes(b"")
    with pytest.raises(InvalidObjectKeyError, match="prepared/"):
        check(workspace, post)
    assert read_post(workspace, post.id).state is PostState.READY
    assert {media.validated_at for media in media_of(workspace, post)} == {None}
    folder.unlink()
    check(workspace, post)
    assert_publishable(workspace, post)


@pytest.mark.parametrize("harm", ["deleted", "changed", "replaced by the original"])
def test_a_lost_copy_of_a_post_that_waits_is_made_again(
    workspace: Workspace, account: Account, harm: str
) -> None:
    post = registered(workspace, account)
    key = check(workspace, post)
    made = copies(workspace)
    path = path_of(workspace, media_of(workspace, post)[2])
    match harm:
        case "deleted":
            path.unlink()
        case "changed":
            os.utime(path, ns=(0, 1))
        case _:
            path.write_bytes(PLACED)
    assert check(workspace, post) == key
    assert copies(workspace) == made
    assert_publishable(workspace, post)


def test_a_photo_that_an_older_version_validated_is_looked_at_again(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    key = check(workspace, post)
    with workspace.ledger.write() as session:
        for media in media_of(workspace, post):
            row = session.get_one(Media, media.id)
            row.prepared_path = row.prepared_identity = row.prepared_facts = None
            row.facts = {k: v for k, v in (row.facts or {}).items() if k != "image_extras"}
    assert check(workspace, post) == key
    assert_publishable(workspace, post)
    assert MediaFacts.from_dict(media_of(workspace, post)[0].facts or {}).image_extras == ()


@pytest.mark.parametrize("state", [PostState.PROCESSING, PostState.PUBLISHED])
def test_a_post_that_tiktok_has_is_not_copied_again(
    workspace: Workspace, account: Account, state: PostState
) -> None:
    post = registered(workspace, account)
    key = check(workspace, post)
    change_post(workspace, post.id, state=state)
    for media in media_of(workspace, post):
        workspace.folders.delete_prepared(media.id)
    assert check(workspace, post) == key
    assert copies(workspace) == {}


def test_copies_go_with_their_originals_also_those_of_which_no_row_tells(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    check(workspace, post)
    plain = media_of(workspace, post)[0]
    workspace.folders.put_prepared(plain.id, b"left by a crash")
    change_post(workspace, post.id, state=PostState.PUBLISHED)
    assert clean_up_files(workspace, post.id)
    assert copies(workspace) == {}
    assert list(data_folder(workspace).media.iterdir()) == []
    assert clean_up_files(workspace, post.id)


def test_a_post_that_failed_keeps_its_copies_for_a_retry(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account)
    key = check(workspace, post)
    before, made = rows(workspace, post), copies(workspace)
    change_post(workspace, post.id, state=PostState.FAILED)
    assert not clean_up_files(workspace, post.id)
    commands.retry(workspace, post.id, actor=ACTOR)
    assert check(workspace, post) == key
    assert (rows(workspace, post), copies(workspace)) == (before, made)


def test_a_rejected_post_that_is_tried_again_gets_its_copies_then(
    workspace: Workspace, account: Account
) -> None:
    post = registered(workspace, account, {"1.jpg": PLAIN, "2.png": PNG})
    check(workspace, post)
    made = copies(workspace)
    violations = [{"rule": "r", "value": "v", "limit": "l", "fix": "f"}]
    reject(workspace, post.id, violations, actor=ACTOR)
    commands.retry(workspace, post.id, actor=ACTOR)
    check(workspace, post)
    assert copies(workspace) == made
    assert_publishable(workspace, post)
