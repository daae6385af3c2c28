"""Everything that touches media bytes: type, container, probe, thumbnail."""
