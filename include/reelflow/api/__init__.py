"""The web application: what TikTok and creators' browsers reach. Run by ``reelflow serve``."""

from reelflow.api.app import create_app

__all__ = ["create_app"]
