"""The URLs from which TikTok pulls: nobody else's, for a while, and for one unchanged file each."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.media_facts import MediaFacts
from reelflow.exceptions import ConfigurationError, MediaUnreadableError, StorageUnavailableError
from reelflow.ledger.cipher import Cipher, generate_key
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.publishing.public_media import PUBLIC_MEDIA_PATH, PublicMedia
from reelflow.services.workspace import Workspace
from reelflow.storage.aws_variable import open_s3
from reelflow.storage.folders import Folders
from reelflow.storage.location import S3Location
from tests.data_folder import data_folder
from tests.factories import Clock
from tests.photo_files import give_copy, image, make_photo_post, media_of

PLAIN = MediaFacts("jpeg", "image", 1, width=100, height=100, image_extras=()).as_dict()
BASE = "https://reelflow.example.com"


@pytest.fixture
def public(workspace: Workspace) -> Workspace:
    return replace(workspace, rules=replace(workspace.rules, public_url=BASE))


@pytest.fixture
def photo(public: Workspace, account: Account) -> Media:
    post = make_photo_post(public, account, images=[image()])
    return media_of(public, post)[0]


def parts(url: str) -> tuple[str, str, str]:
    prefix = f"{BASE}{PUBLIC_MEDIA_PATH}/"
    assert url.startswith(prefix)
    media_id, expires, signature, _ = url.removeprefix(prefix).split("/")
    return media_id, expires, signature


def refusal(workspace: Workspace, *given: str) -> str:
    with pytest.raises(MediaUnreadableError) as refused, PublicMedia(workspace).open(*given):
        pass
    assert str(data_folder(workspace).root) not in str(refused.value)
    return refused.value.code


def read(workspace: Workspace, url: str) -> tuple[bytes, int, str]:
    with PublicMedia(workspace).open(*parts(url)) as file:
        return file.source.read_at(0, 1 << 20), file.size_bytes, file.content_type


def test_a_url_serves_its_file_with_the_type_of_its_content(
    public: Workspace, photo: Media
) -> None:
    url = PublicMedia(public).url(photo)
    assert url.endswith("/media.jpg")
    assert "trip" not in url
    assert read(public, url) == (image(), len(image()), "image/jpeg")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.mp4", "video/mp4"), ("a.mov", "video/quicktime"), ("a.webm", "video/webm")],
)
def test_a_video_is_served_too(
    public: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    name: str,
    content_type: str,
) -> None:
    media = make_post(account, file_name=name, content=b"video").media
    url = PublicMedia(public).url(media)
    assert url.endswith(f"/media{name[1:]}")
    assert read(public, url) == (b"video", 5, content_type)


def test_in_place_of_a_photo_its_copy_is_served(public: Workspace, account: Account) -> None:
    post = make_photo_post(public, account, images=[image("PNG")])
    media = give_copy(public, media_of(public, post)[0])
    url = PublicMedia(public).url(media)
    assert url.endswith("/media.jpg")
    copy = data_folder(public).path(str(media.prepared_path)).read_bytes()
    assert copy != image("PNG")
    assert read(public, url) == (copy, len(copy), "image/jpeg")


@pytest.mark.parametrize("change", ["grown", "deleted", "original"])
def test_only_the_very_copy_that_was_made_is_served(
    public: Workspace, account: Account, change: str
) -> None:
    post = make_photo_post(public, account, images=[image("PNG")])
    media = give_copy(public, media_of(public, post)[0])
    given = parts(PublicMedia(public).url(media))
    copy = data_folder(public).path(str(media.prepared_path))
    match change:
        case "grown":
            copy.write_bytes(copy.read_bytes() + b"more")
        case "deleted":
            public.folders.delete_prepared(media.id)
        case _:
            copy.write_bytes(image("PNG"))
    assert refusal(public, *given) == "public_media_gone"


def test_a_photo_of_which_nobody_knows_what_it_holds_is_not_served(
    public: Workspace, photo: Media
) -> None:
    given = parts(PublicMedia(public).url(photo))
    with public.ledger.write() as session:
        row = session.get_one(Media, photo.id)
        row.facts = {**(row.facts or {}), "image_extras": None}
    assert refusal(public, *given) == "public_media_gone"


def test_a_url_works_until_its_time_is_over(public: Workspace, photo: Media, clock: Clock) -> None:
    given = parts(PublicMedia(public).url(photo))
    clock.advance(timedelta(hours=2, seconds=-1))
    PublicMedia(public).verify(*given)
    clock.advance(timedelta(seconds=1))
    assert refusal(public, *given) == "public_media_expired"


def test_nobody_makes_a_url_last_longer_or_be_for_another_file(
    public: Workspace, photo: Media
) -> None:
    media_id, expires, signature = parts(PublicMedia(public).url(photo))
    other = "f" * 32 if media_id[0] != "f" else "0" * 32
    forged = [
        (other, expires, signature),
        (media_id, str(int(expires) + 1), signature),
        (media_id, f"0{expires}", signature),
        (media_id, f"+{expires}", signature),
        (media_id, expires, signature[:-1]),
        (media_id, expires, signature.upper()),
        (media_id, expires, ""),
        (media_id, expires, "\N{SNOWMAN}" * 64),
        (media_id.upper(), expires, signature),
        ("../../etc/passwd", expires, signature),
        ("\udce9", expires, signature),
        (media_id, "\N{SUPERSCRIPT TWO}", signature),
    ]
    assert {refusal(public, *given) for given in forged} == {"public_media_forged"}


def test_a_signed_id_that_is_no_id_is_forged_all_the_same(public: Workspace) -> None:
    media = Media(id="../x", file_name="x", facts=PLAIN)
    url = PublicMedia(public).url(media)
    expires, signature = url.split("/")[-3:-1]
    assert refusal(public, "../x", expires, signature) == "public_media_forged"


def test_another_fernet_key_signs_otherwise(public: Workspace, photo: Media, clock: Clock) -> None:
    given = parts(PublicMedia(public).url(photo))
    ledger = Ledger(public.ledger.engine, Cipher(generate_key()), now=clock)
    assert refusal(replace(public, ledger=ledger), *given) == "public_media_forged"


@pytest.mark.parametrize("change", ["grown", "replaced", "link", "deleted", "unvalidated", "row"])
def test_only_the_very_file_that_was_validated_is_served(
    public: Workspace, photo: Media, change: str
) -> None:
    given = parts(PublicMedia(public).url(photo))
    source = data_folder(public).path(photo.source_path)
    match change:
        case "grown":
            source.write_bytes(image() + b"more")
        case "replaced":
            source.write_bytes(image(shade=3)[: len(image())].ljust(len(image())))
            os.utime(source, ns=(0, source.stat().st_mtime_ns + 1))
        case "link":
            source.unlink()
            source.symlink_to("/etc/hostname")
        case "deleted":
            public.folders.delete_source(photo.source_path)
        case _:
            with public.ledger.write() as session:
                row = session.get_one(Media, photo.id)
                if change == "row":
                    row.deleted_at = public.ledger.now()
                else:
                    row.validated_at = None
    assert refusal(public, *given) == "public_media_gone"


def test_a_file_that_was_never_known_is_gone(public: Workspace) -> None:
    media = Media(id="0" * 32, file_name="x", facts=PLAIN)
    assert refusal(public, *parts(PublicMedia(public).url(media))) == "public_media_gone"


def test_a_descriptor_is_closed_with_its_block(public: Workspace, photo: Media) -> None:
    with PublicMedia(public).open(*parts(PublicMedia(public).url(photo))) as file:
        assert len(file.source.read_at(0, 1)) == 1
    with pytest.raises(StorageUnavailableError, match="Bad file descriptor"):
        file.source.read_at(0, 1)


def test_without_a_public_address_the_setting_is_named(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="REELFLOW_PUBLIC_URL is not set"):
        PublicMedia(workspace).url(Media(id="0" * 32, facts=PLAIN))


def test_what_tiktok_does_not_take_gets_no_url(public: Workspace, photo: Media) -> None:
    photo.facts = {**PLAIN, "container": "png"}
    with pytest.raises(MediaUnreadableError, match=r"has no copy for TikTok \(PNG content\)"):
        PublicMedia(public).url(photo)


ABOVE = "https://bucket.s3.eu-central-1.amazonaws.com/reelflow/"


def in_s3(workspace: Workspace, verified: str) -> Workspace:
    """Let media lie in a bucket, which is not asked for anything."""
    extra = {"region_name": "eu-central-1"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    environment = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}
    folders = Folders(lambda: open_s3(S3Location("bucket", "reelflow"), environment))
    rules = replace(workspace.rules, verified_storage_url=verified)
    return replace(workspace, folders=folders, rules=rules)


def test_from_a_verified_bucket_tiktok_fetches_by_its_signed_urls(
    public: Workspace, photo: Media
) -> None:
    url = PublicMedia(in_s3(public, ABOVE)).url(photo)
    assert url.startswith(f"{ABOVE}{photo.source_path}?")
    lifetime_s = int(public.rules.public_url_lifetime.total_seconds())
    assert f"X-Amz-Expires={lifetime_s}" in url
    assert "response-content-type=image%2Fjpeg" in url  # by its content, not its writer's word


def test_from_a_verified_bucket_tiktok_fetches_the_copy(
    public: Workspace, account: Account
) -> None:
    post = make_photo_post(public, account, images=[image("PNG")])
    media = give_copy(public, media_of(public, post)[0])
    url = PublicMedia(in_s3(public, ABOVE)).url(media)
    assert url.startswith(f"{ABOVE}prepared/{media.id}.jpg?")


def test_a_bucket_that_is_not_verified_is_used_through_the_web_application(
    public: Workspace, photo: Media
) -> None:
    assert PublicMedia(in_s3(public, "")).url(photo).startswith(public.rules.public_url)


def test_a_bucket_that_is_elsewhere_than_what_was_verified_is_named_without_a_signature(
    public: Workspace, account: Account, photo: Media
) -> None:
    other = in_s3(public, "https://media.example.com/")
    post = make_photo_post(public, account, images=[image("PNG")])
    copied = give_copy(public, media_of(public, post)[0])
    for media in (photo, copied):
        with pytest.raises(ConfigurationError, match=rf"^objects are below {ABOVE}, not") as told:
            PublicMedia(other).url(media)
        assert told.value.code == "public_url_wrong"
        assert "X-Amz" not in str(told.value)


def test_a_folder_has_no_signed_urls(public: Workspace, photo: Media) -> None:
    rules = replace(public.rules, verified_storage_url=ABOVE)
    with pytest.raises(ConfigurationError, match="media lie in a folder"):
        PublicMedia(replace(public, rules=rules)).url(photo)
