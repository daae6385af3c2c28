"""The app's settings."""

import pytest

from tiktok_simulator.app_settings import SCOPES, AppSettings


@pytest.mark.parametrize(
    ("app_type", "pkce_required", "needs_pkce"),
    [
        ("desktop", None, True),
        ("desktop", False, False),
        ("web", None, False),
        ("web", True, True),
    ],
)
def test_pkce_is_required_of_desktop_apps_unless_it_is_switched(
    app_type: str, pkce_required: bool | None, needs_pkce: bool
) -> None:
    app = AppSettings(app_type=app_type, pkce_required=pkce_required)  # type: ignore[arg-type]

    assert app.needs_pkce is needs_pkce


def test_the_lifetimes_and_scopes_are_those_of_the_documentation() -> None:
    app = AppSettings()

    assert (app.access_lifetime_s, app.refresh_lifetime_s) == (86_400, 31_536_000)
    assert app.scopes == SCOPES
    assert len(SCOPES) == 6
