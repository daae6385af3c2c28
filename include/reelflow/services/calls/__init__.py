"""Calls to TikTok for an account: budget, breaker, token, and the shared poller."""
