"""Accounts and their tokens: connecting, renewing, revoking."""
