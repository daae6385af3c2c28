"""The provider as Airflow finds it: by its entry point, with its connection type and form."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from airflow.providers_manager import ConnectionTypeHookUIMetadata, ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from reelflow_provider import get_provider_info
from reelflow_provider.hooks.tiktok import TikTokHook


@pytest.fixture(scope="module")
def form() -> ConnectionTypeHookUIMetadata:
    """What the form of the connection type is made of."""
    metadata = ProvidersManager().iter_connection_type_hook_ui_metadata()
    return next(one for one in metadata if one.connection_type == "tiktok")


def test_the_package_name_is_that_of_the_distribution_whose_entry_point_it_is() -> None:
    # Another name makes provider discovery fail for every provider of the installation.
    (entry_point,) = entry_points(group="apache_airflow_provider").select(
        value="reelflow_provider:get_provider_info"
    )
    assert entry_point.dist is not None
    assert entry_point.dist.name == get_provider_info()["package-name"]


def test_airflow_finds_the_provider() -> None:
    assert ProvidersManager().providers["reelflow"].data["name"] == "Reelflow"


def test_the_connection_type_leads_to_the_hook_that_can_test_it() -> None:
    found = ProvidersManagerTaskRuntime().hooks["tiktok"]
    assert found is not None
    assert found.hook_class_name == f"{TikTokHook.__module__}.{TikTokHook.__qualname__}"
    assert found.connection_id_attribute_name == TikTokHook.conn_name_attr
    assert found.hook_name == TikTokHook.hook_name
    assert found.connection_testable


def test_the_form_asks_for_host_client_key_and_client_secret_only(
    form: ConnectionTypeHookUIMetadata,
) -> None:
    assert form.hook_name == "TikTok app"
    assert form.hook_class_name == "reelflow_provider.hooks.tiktok.TikTokHook"
    fields = form.field_behaviour
    assert fields is not None
    assert set(fields["hidden_fields"]) == {"schema", "port", "extra"}
    assert fields["relabeling"] == {
        "host": "Host",
        "login": "Client key",
        "password": "Client secret",
    }
    assert fields["placeholders"]["host"] == "open.tiktokapis.com"


def test_the_link_to_a_post_may_be_shown_by_airflow() -> None:
    assert "reelflow_provider.links.TikTokPostLink" in ProvidersManager().extra_links_class_names
