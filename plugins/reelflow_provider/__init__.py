"""Reelflow for Airflow: the connection type, hook, operators, sensor, triggers and plugin."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Tell Airflow what this provider adds (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "reelflow",
        "name": "Reelflow",
        "description": "Publishes media to TikTok: never twice, never lost, never unexplained.",
        "connection-types": [
            {
                "connection-type": "tiktok",
                "hook-class-name": "reelflow_provider.hooks.tiktok.TikTokHook",
                "hook-name": "TikTok app",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "Host",
                        "login": "Client key",
                        "password": "Client secret",
                    },
                    "placeholders": {
                        "host": "open.tiktokapis.com",
                        "login": "client key of the app",
                        "password": "client secret of the app",
                    },
                },
            }
        ],
        "notifications": ["reelflow_provider.notifications.webhook.WebhookNotifier"],
        "extra-links": [
            "reelflow_provider.links.PostStoryLink",
            "reelflow_provider.links.SimulatorLink",
            "reelflow_provider.links.ThumbnailLink",
            "reelflow_provider.links.TikTokPostLink",
        ],
    }
