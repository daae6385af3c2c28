import json

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.tiktok.models import PhotoPost, PostMode
from reelflow.tiktok.photo_protocol import prepare_photo_init

TOKEN = "act.example12345"
URLS = ["https://media.example/1.jpg?s=a", "https://media.example/2.webp?s=b"]
POST = PhotoPost(
    "Spring", "🌱 #garden", "SELF_ONLY", auto_add_music=True, disable_comment=True, is_aigc=True
)
DIRECT, INBOX = PostMode.DIRECT_POST, PostMode.MEDIA_UPLOAD


def test_a_photo_post_declares_the_choices_and_its_images_in_order() -> None:
    request = prepare_photo_init(TOKEN, POST, URLS, cover_index=1, post_mode=DIRECT)
    assert request.path == "/v2/post/publish/content/init/"
    assert json.loads(request.body) == {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {
            "title": "Spring",
            "description": "🌱 #garden",
            "privacy_level": "SELF_ONLY",
            "disable_comment": True,
            "auto_add_music": True,
            "brand_content_toggle": False,
            "brand_organic_toggle": False,
        },
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_images": URLS,
            "photo_cover_index": 1,
        },
        "is_aigc": True,
    }


def test_photos_for_the_inbox_carry_their_texts_alone() -> None:
    for post in (POST, PhotoPost("Spring", "🌱 #garden", None)):
        request = prepare_photo_init(TOKEN, post, URLS, cover_index=0, post_mode=INBOX)
        body = json.loads(request.body)
        assert body["post_mode"] == "MEDIA_UPLOAD"
        assert body["post_info"] == {"title": "Spring", "description": "🌱 #garden"}
        assert "is_aigc" not in body


def test_empty_texts_are_not_sent() -> None:
    post = PhotoPost("", "", "SELF_ONLY")
    request = prepare_photo_init(TOKEN, post, URLS, cover_index=0, post_mode=DIRECT)
    assert not {"title", "description"} & json.loads(request.body)["post_info"].keys()


@pytest.mark.parametrize("count", [1, 35])
def test_a_post_has_1_to_35_images(count: int) -> None:
    urls = [f"https://media.example/{n}.jpg" for n in range(count)]
    body = prepare_photo_init(TOKEN, POST, urls, cover_index=count - 1, post_mode=DIRECT).body
    assert json.loads(body)["source_info"]["photo_images"] == urls


@pytest.mark.parametrize(
    ("count", "cover_index", "said"),
    [(0, 0, "0 images"), (36, 0, "36 images"), (2, 2, "cover_index"), (2, -1, "cover_index")],
)
def test_too_many_images_or_a_cover_that_is_none_are_refused(
    count: int, cover_index: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        prepare_photo_init(TOKEN, POST, URLS[:1] * count, cover_index=cover_index, post_mode=DIRECT)


@pytest.mark.parametrize("privacy_level", [None, ""])
def test_there_is_no_default_privacy(privacy_level: str | None) -> None:
    with pytest.raises(ValueError, match="privacy level"):
        prepare_photo_init(
            TOKEN, PhotoPost("", "", privacy_level), URLS, cover_index=0, post_mode=DIRECT
        )


def test_an_image_that_tiktok_would_not_fetch_is_refused_without_its_signature() -> None:
    urls = [*URLS, "http://media.example/3.jpg?signature=s3cret"]
    with pytest.raises(ConfigurationError, match="https") as caught:
        prepare_photo_init(TOKEN, POST, urls, cover_index=0, post_mode=DIRECT)
    assert "s3cret" not in str(caught.value)
