"""The hook that turns an Airflow connection into TikTok clients."""
