"""The TikTok client: pure protocol, and thin shells that send it."""
