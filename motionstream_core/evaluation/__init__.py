"""evaluation room of the core; see docs/architecture.md."""
