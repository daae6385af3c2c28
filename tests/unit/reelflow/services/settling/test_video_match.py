"""Recognising posts among videos: right where there is no doubt, and never a guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.services.settling.video_match import CLOCK_SLACK, SHOWN_CHARS, Sought, match_videos
from reelflow.tiktok.display_models import Video
from tests.unit.reelflow.services.settling.asked_tiktok import video

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LONG = "A caption of many words. " * 10


def matched(
    sought: list[Sought],
    videos: list[Video],
    taken: tuple[str, ...] = (),
    others: tuple[Sought, ...] = (),
) -> dict[int, str]:
    found = match_videos(sought, videos, taken=taken, others=others)
    return {post_id: one.id for post_id, one in found.items()}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Lake", "Lake"),
        ("Lake at\n dawn ", " Lake at dawn"),
        (LONG, LONG[:SHOWN_CHARS]),
        ("Spring 🌱 #lake", "Spring 🌱 #lake"),
    ],
)
def test_a_caption_is_recognised_whole_or_cut_where_tiktok_cuts(text: str, shown: str) -> None:
    assert matched([Sought(1, (text,), NOW)], [video("7", shown, NOW)]) == {1: "7"}


@pytest.mark.parametrize("shown", ["Lak", "Lake at dawn", "lake", "", "  ", LONG[:100]])
def test_another_caption_is_not_taken_for_it(shown: str) -> None:
    assert matched([Sought(1, ("Lake",), NOW)], [video("7", shown, NOW)]) == {}
    assert matched([Sought(1, (LONG,), NOW)], [video("7", shown, NOW)]) == {}


def test_a_title_is_recognised_too() -> None:
    assert matched([Sought(1, ("", "Lake"), NOW)], [video("7", "", NOW, title="Lake")]) == {1: "7"}


@pytest.mark.parametrize("texts", [(), ("",), (" \n",)])
def test_a_post_without_a_text_is_never_found(texts: tuple[str, ...]) -> None:
    assert matched([Sought(1, texts, NOW)], [video("7", "", NOW), video("8", " ", NOW)]) == {}


@pytest.mark.parametrize(
    ("earlier", "found"), [(CLOCK_SLACK, {1: "7"}), (CLOCK_SLACK + SECOND, {})]
)
def test_an_older_video_with_the_caption_is_another(
    earlier: timedelta, found: dict[int, str]
) -> None:
    assert matched([Sought(1, ("Lake",), NOW)], [video("7", "Lake", NOW - earlier)]) == found


def test_two_videos_with_the_caption_are_for_a_person() -> None:
    videos = [video("7", "Lake", NOW), video("8", "Lake", NOW)]
    assert matched([Sought(1, ("Lake",), NOW)], videos) == {}
    assert matched([Sought(1, ("Lake",), NOW)], videos, taken=("7",)) == {1: "8"}


def test_a_video_that_came_twice_in_the_list_is_one() -> None:
    assert matched([Sought(1, ("Lake",), NOW)], [video("7", "Lake", NOW)] * 2) == {1: "7"}


def test_two_posts_with_the_caption_are_for_a_person() -> None:
    lake, again = Sought(1, ("Lake",), NOW), Sought(2, ("Lake",), NOW)
    assert matched([lake, again], [video("7", "Lake", NOW)]) == {}
    assert matched([lake], [video("7", "Lake", NOW)], others=(again,)) == {}
    assert matched([lake], [video("7", "Lake", NOW)], others=(lake,)) == {1: "7"}


TEXTS = st.sampled_from(["Lake", "Lake ", "Forest", "", LONG, LONG + "more"])
SOUGHT = st.lists(
    st.builds(
        Sought,
        st.integers(1, 6),
        st.lists(TEXTS, max_size=2).map(tuple),
        st.sampled_from([NOW, NOW + timedelta(hours=1)]),
    ),
    max_size=6,
    unique_by=lambda one: one.post_id,
)
VIDEOS = st.lists(
    st.builds(
        video,
        st.sampled_from("123456"),
        TEXTS.map(lambda text: text[:SHOWN_CHARS]),
        st.sampled_from([NOW, NOW + timedelta(hours=1)]),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)
TAKEN = st.sets(st.sampled_from("123456")).map(tuple)


@given(sought=SOUGHT, others=SOUGHT.map(tuple), videos=VIDEOS, taken=TAKEN)
def test_no_video_is_ever_two_posts_and_nothing_is_guessed(
    sought: list[Sought], others: tuple[Sought, ...], videos: list[Video], taken: tuple[str, ...]
) -> None:
    found = matched(sought, videos, taken, others)
    assert len(set(found.values())) == len(found)
    assert not set(found.values()) & set(taken)
    everybody = {one.post_id: one for one in (*others, *sought)}
    for post_id, video_id in found.items():
        (its,) = [one for one in sought if one.post_id == post_id]
        # Alone with its video it is the same one, and with nobody else's post is it another's.
        assert matched([its], videos, taken) == {post_id: video_id}
        for rival_id, rival in everybody.items():
            if rival_id != post_id:
                alone = [one for one in videos if one.id == video_id]
                assert matched([rival], alone) == {}


@given(sought=SOUGHT, videos=VIDEOS, taken=TAKEN, data=st.data())
def test_the_order_of_posts_and_videos_makes_no_difference(
    sought: list[Sought], videos: list[Video], taken: tuple[str, ...], data: st.DataObject
) -> None:
    posts, listed = data.draw(st.permutations(sought)), data.draw(st.permutations(videos))
    assert matched(posts, listed, taken) == matched(sought, videos, taken)
