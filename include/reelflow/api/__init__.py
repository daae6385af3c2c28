"""The web application: uploads and posts, and what TikTok and creators reach."""

from reelflow.api.app import create_app

__all__ = ["create_app"]
