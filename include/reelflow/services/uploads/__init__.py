"""Files that come over the API: in chunks, whole, straight to storage, from the dashboard."""
