"""Content analysis: the port, the engine for what a file declares, and the HTTP client."""
