"""Only a profile that shows colours as sRGB does, and tells nothing else, is called sRGB."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from reelflow.media.colour_profile import is_srgb


def profile_of(space: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()  # type: ignore[arg-type]


SRGB = profile_of("sRGB")


def swapped(profile: bytes, one: bytes, other: bytes) -> bytes:
    """Give the profile whose tags have each other's names."""
    parts = profile.replace(one, b"????").replace(other, one)
    return parts.replace(b"????", other)


def test_a_profile_of_srgb_is_srgb() -> None:
    assert is_srgb(SRGB)


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"RGB " * 200,
        SRGB[:200],
        SRGB + bytes(4096),
        profile_of("LAB"),
        profile_of("XYZ"),
        swapped(SRGB, b"rXYZ", b"gXYZ"),
        SRGB.replace(b"cprt", b"meta"),
    ],
    ids=["none", "noise", "cut", "large", "LAB", "XYZ", "other colours", "a screen's number"],
)
def test_any_other_profile_is_not(profile: bytes) -> None:
    assert not is_srgb(profile)


@settings(max_examples=100)
@given(st.integers(0, len(SRGB) - 1), st.integers(0, 255))
def test_a_damaged_profile_is_judged_and_breaks_nothing(offset: int, byte: int) -> None:
    assert is_srgb(SRGB[:offset] + bytes([byte]) + SRGB[offset + 1 :]) in (True, False)
