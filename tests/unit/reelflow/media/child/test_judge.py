import pytest
from PIL import Image, ImageDraw, ImageFilter

from reelflow.media.child.judge import judge


def scene() -> Image.Image:
    """Shapes of all sizes on a gradient, as in a picture of a street."""
    picture = Image.linear_gradient("L").resize((640, 360)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for number in range(60):
        x, y, side = (number * 97) % 620, (number * 53) % 340, 5 + (number * 13) % 60
        colour = ((number * 70) % 256, (number * 110) % 256, (number * 30) % 256)
        draw.rectangle((x, y, x + side, y + side // 2), fill=colour, outline="white")
    return picture


def test_a_sharp_picture_is_good() -> None:
    assert judge(scene()).is_good


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (640, 360)),
        Image.new("RGB", (640, 360), (12, 12, 12)),
        Image.new("RGB", (640, 360), "white"),
        scene().point(lambda value: value // 10),
        scene().filter(ImageFilter.GaussianBlur(20)),
        scene().filter(ImageFilter.GaussianBlur(9)),
    ],
    ids=["black", "nearly black", "white", "fading", "blurred", "somewhat blurred"],
)
def test_a_picture_that_shows_nothing_is_bad_and_ranks_lower(picture: Image.Image) -> None:
    judgement = judge(picture)
    assert not judgement.is_good
    assert judgement.score < judge(scene()).score


def test_a_picture_that_is_mostly_dark_but_shows_something_is_good() -> None:
    night = Image.new("RGB", (640, 360), (5, 5, 10))
    night.paste(scene().resize((200, 112)), (200, 100))
    assert judge(night).is_good
