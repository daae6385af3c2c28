"""Reelflow: publishes media to TikTok, never twice, never lost. Never imports Airflow."""
