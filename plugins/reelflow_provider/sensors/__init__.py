"""The sensor that waits for TikTok."""
