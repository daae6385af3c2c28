"""Reelflow: publishes media to TikTok, never twice, never lost, never unexplained. Never imports Airflow."""
