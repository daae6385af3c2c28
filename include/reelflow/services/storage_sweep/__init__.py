"""Sweeping the store: files that nobody needs any more, and objects that nobody knows."""
