"""Files that come in one request."""
