"""Photo posts: what their images must keep to, their order, and what identifies them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import (
    INTAKE_PHOTOS,
    MAX_PHOTOS,
    PUBLISHED_PHOTOS,
    copy_reasons,
    count_violation,
    image_violations,
    is_picture,
    natural_order,
    photo_post_sha256,
    photo_violations,
    wished_order,
)


def facts(container: str = "jpeg", **values: object) -> MediaFacts:
    kind = "image" if container in ("jpeg", "png", "webp") else "other"
    sides = {"width": 1080, "height": 1920} if kind == "image" else {}
    return MediaFacts(container, kind, **{"size_bytes": 1000, **sides, **values})  # type: ignore[arg-type]


def rules(measured: MediaFacts, name: str = "trip/a.jpg") -> list[str]:
    return [violation.rule for violation in photo_violations(measured, name, PUBLISHED_PHOTOS)]


@pytest.mark.parametrize(
    ("container", "name"),
    [("jpeg", "a.jpg"), ("jpeg", "A.JPEG"), ("webp", "a.webp")],
)
def test_jpeg_and_webp_are_taken_under_their_names(container: str, name: str) -> None:
    assert rules(facts(container), name) == []


@pytest.mark.parametrize(
    ("width", "height"), [(1920, 1080), (1080, 1080), (100, 100), (1080, 1920)]
)
def test_1080p_is_meant_either_way_round(width: int, height: int) -> None:
    assert rules(facts(width=width, height=height)) == []


@pytest.mark.parametrize(("width", "height"), [(1921, 101), (1081, 1081), (101, 1921)])
def test_a_larger_image_is_told_its_size_and_the_way_out(width: int, height: int) -> None:
    measured = facts(width=width, height=height)
    (broken,) = photo_violations(measured, "trip/a.jpg", PUBLISHED_PHOTOS)
    assert broken.rule == "resolution"
    assert broken.value == f"trip/a.jpg: {width}x{height} px"
    assert "1920 px on its longer and 1080 px on its shorter" in broken.fix


@pytest.mark.parametrize(("width", "height"), [(99, 1000), (4055, 99), (1, 1)])
def test_a_tiny_image_is_told_how_large_it_must_be(width: int, height: int) -> None:
    (broken,) = photo_violations(facts(width=width, height=height), "trip/a.jpg")
    assert (broken.rule, broken.fix) == (
        "resolution",
        "use a larger image: at least 100 px on its shorter side",
    )


@pytest.mark.parametrize(
    ("width", "height"), [(5000, 50), (50, 5000), (4097, 100), (1000, 10), (20000, 200)]
)
def test_an_image_too_long_for_its_width_is_to_be_cropped(width: int, height: int) -> None:
    """Of the two limits on sides, scaling keeps one and breaks the other."""
    (broken,) = image_violations(facts(width=width, height=height), "a.jpg")
    assert broken.limit == "at most 4096x4096 px, either way round, and at least 100 px each side"
    assert broken.fix == (
        "crop it so that its longer side is at most 40 times its shorter one, then export it with "
        "100 to 4096 px each side"
    )


def test_the_house_takes_more_than_the_platform() -> None:
    large = facts("png", width=4096, height=4096)
    assert image_violations(large, "a.png", INTAKE_PHOTOS) == []
    assert rules(large, "a.png") == ["photo_type", "resolution"]
    larger = facts("png", width=4097, height=100)
    (broken,) = image_violations(larger, "a.png", INTAKE_PHOTOS)
    assert broken.value == "4097x100 px"
    (other,) = image_violations(facts("other:gif"), "a.gif", INTAKE_PHOTOS)
    assert other.limit == "JPEG, PNG or WebP"


@pytest.mark.parametrize(
    ("container", "values", "reasons"),
    [
        ("jpeg", {"image_extras": ()}, []),
        ("webp", {"image_extras": ()}, []),
        ("png", {"image_extras": ()}, ["PNG content"]),
        ("png", {}, ["PNG content"]),
        ("jpeg", {"image_extras": ("EXIF", "a comment")}, ["EXIF", "a comment"]),
        ("jpeg", {"image_extras": (), "width": 1921}, ["1921x1920 px"]),
        ("webp", {"image_extras": ("XMP",), "height": 4096}, ["1080x4096 px", "XMP"]),
        ("jpeg", {}, ["nobody looked what it holds"]),
    ],
)
def test_a_photo_is_copied_unless_it_is_known_to_be_plain_and_taken(
    container: str, values: dict[str, object], reasons: list[str]
) -> None:
    assert copy_reasons(facts(container, **values)) == reasons


@pytest.mark.parametrize(
    ("container", "judged"),
    [("jpeg", True), ("other:heif", True), ("mp4", False), ("other:text", False)],
)
def test_pictures_of_any_type_are_judged_as_images(container: str, judged: bool) -> None:
    assert is_picture(facts(container)) is judged


@pytest.mark.parametrize("container", ["other:heif", "other:gif", "other:tiff", "other:bmp"])
def test_other_pictures_are_refused_with_the_fix(container: str) -> None:
    (broken,) = photo_violations(facts(container), "trip/a.png")
    assert (broken.rule, broken.limit) == ("photo_type", "JPEG, PNG or WebP")
    assert broken.fix == "export it as JPEG; renaming does not make one"


@pytest.mark.parametrize("container", ["mp4", "other:text"])
def test_what_is_no_picture_is_to_be_taken_out_of_the_folder(container: str) -> None:
    (broken,) = photo_violations(facts(container), "trip/a.json")
    assert broken.fix.startswith("take it out of the folder")


@pytest.mark.parametrize("name", ["trip/a.jpg", "a.JPEG", "a.png", "a.webp"])
def test_what_is_only_named_as_an_image_is_to_be_a_real_one(name: str) -> None:
    (broken,) = image_violations(facts("other:html"), name)
    assert (broken.rule, broken.value) == ("photo_type", "html content")
    assert broken.fix == "give a real image; renaming does not make one"
    (broken,) = image_violations(MediaFacts("mp4", "video", 1000), name)
    assert broken.fix.startswith("take it out of the folder")


@pytest.mark.parametrize("name", ["a.webp", "a", "a.jpg.png"])
def test_an_extension_that_lies_is_told(name: str) -> None:
    (broken,) = photo_violations(facts("jpeg"), name)
    assert broken.rule == "extension"
    assert broken.fix.endswith("ends in .jpg")


def test_all_that_is_wrong_with_an_image_is_told_at_once() -> None:
    measured = facts(size_bytes=20_000_001, width=9000, height=9000, probe_error="cut")
    assert rules(measured, "a.webp") == ["extension", "size", "unreadable", "resolution"]
    assert rules(facts(size_bytes=20_000_000)) == []
    assert rules(facts(size_bytes=0)) == ["empty"]


def test_36_images_are_one_too_many() -> None:
    assert count_violation(MAX_PHOTOS) is None
    broken = count_violation(MAX_PHOTOS + 1)
    assert broken is not None
    assert (broken.value, broken.fix) == (
        "36 images",
        "take 1 out, or make several folders of them",
    )


def test_names_are_ordered_as_people_count() -> None:
    names = ["img10.jpg", "IMG2.jpg", "b.jpg", "img1.jpg", "10.jpg", "9.jpg", "a.jpg"]
    ordered = ["9.jpg", "10.jpg", "a.jpg", "b.jpg", "img1.jpg", "IMG2.jpg", "img10.jpg"]
    assert sorted(names, key=natural_order) == ordered


@given(st.lists(st.text(max_size=8)))
def test_any_names_have_one_order(names: list[str]) -> None:
    backwards = list(reversed(names))
    assert sorted(names, key=natural_order) == sorted(backwards, key=natural_order)


def test_a_wished_order_names_each_image_once() -> None:
    assert wished_order(["a", "b", "c"], ["c", "a", "b"]) == [2, 0, 1]
    assert wished_order(["cafe\u0301.jpg"], ["caf\u00e9.jpg"]) == [0]  # a Mac's way to write it
    with pytest.raises(ValueError, match="'d' is not in the folder, 'b' is in the folder but not"):
        wished_order(["a", "b"], ["a", "d"])
    with pytest.raises(ValueError, match="'a' is named twice"):
        wished_order(["a"], ["a", "a"])
    with pytest.raises(ValueError, match="and 15 more"):
        wished_order([str(n) for n in range(20)], ["0", "0", *map(str, range(20, 20))])


def test_other_images_or_another_order_is_another_post() -> None:
    one, two = "1" * 64, "2" * 64
    hashes = [[one], [two], [one, two], [two, one], [one, one]]
    assert len({photo_post_sha256(each) for each in hashes} | {one, two}) == 7
    assert photo_post_sha256([one, two]) == photo_post_sha256([one, two])
