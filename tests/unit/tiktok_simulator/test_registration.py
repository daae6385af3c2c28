"""What the developer portal takes."""

from typing import Any

import pytest

from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.registration import register

WEB = {"app_type": "web", "redirect_uris": ["https://app.example/tiktok/callback"]}


def test_settings_are_changed_as_json_has_them() -> None:
    app = AppSettings()

    register(app, {**WEB, "is_audited": False, "access_lifetime_s": 60, "pkce_required": True})

    assert app.redirect_uris == ("https://app.example/tiktok/callback",)
    assert (app.app_type, app.is_audited, app.access_lifetime_s) == ("web", False, 60)
    assert app.needs_pkce


def test_a_bad_value_changes_nothing() -> None:
    app = AppSettings()

    with pytest.raises(ValueError, match="oauth_error_status"):
        register(app, {"client_key": "other", "oauth_error_status": 500})

    assert app == AppSettings()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"client_id": "x"}, "no app setting 'client_id'"),
        ({"client_key": 1}, "client_key cannot be 1"),
        ({"is_audited": "no"}, "is_audited cannot be 'no'"),
        ({"is_audited": None}, "is_audited cannot be None"),
        ({"app_type": "mobile"}, "app_type cannot be 'mobile'"),
        ({"app_type": ["web"]}, "app_type cannot be"),
        ({"access_lifetime_s": 0}, "access_lifetime_s cannot be 0"),
        ({"access_lifetime_s": True}, "access_lifetime_s cannot be True"),
        ({"redirect_uris": "http://localhost:1/"}, "redirect_uris cannot be"),
        ({"redirect_uris": []}, "1 to 10 redirect URIs, not 0"),
        ({"redirect_uris": ["http://localhost:1/"] * 11}, "1 to 10 redirect URIs, not 11"),
        ({"redirect_uris": ["http://localhost/callback/"]}, "with a port"),
        ({"redirect_uris": ["https://app.example:1/"]}, "desktop app"),
        ({"redirect_uris": ["http://localhost:1@app.example/"]}, "desktop app"),
        ({"redirect_uris": ["http://localhost:1/?"]}, "neither query"),
        ({"redirect_uris": ["http://localhost:1/#x"]}, "neither query"),
        ({"redirect_uris": ["http://localhost:1/" + "a" * 500]}, "at most 511 characters"),
        ({"app_type": "web"}, "static https URL"),
        ({**WEB, "redirect_uris": ["http://app.example/"]}, "static https URL"),
        ({**WEB, "redirect_uris": ["https:///cb"]}, "static https URL"),
        ({**WEB, "redirect_uris": ["https://app.example/*"]}, "static https URL"),
        ({"scopes": ["video.publish", "video.steal"]}, r"no scopes \['video.steal'\]"),
        ({"verified_domains": ["https://media.example"]}, "host name"),
        ({"verified_domains": ["localhost"]}, "host name"),
        ({"verified_url_prefixes": ["https://media.example/a"]}, "https://host/path/"),
        ({"verified_url_prefixes": ["http://media.example/a/"]}, "https://host/path/"),
        ({"verified_url_prefixes": ["https://10.0.0.1/a/"]}, "https://host/path/"),
        ({"verified_url_prefixes": ["https:///a/"]}, "https://host/path/"),
    ],
)
def test_what_the_portal_would_not_take_is_refused_with_a_sentence(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        register(AppSettings(), values)


def test_good_properties_pass() -> None:
    app = AppSettings()

    register(
        app,
        {
            "verified_domains": ["media.example"],
            "verified_url_prefixes": ["https://cdn.example/reels/"],
        },
    )

    assert app.verified_domains == ("media.example",)
