"""training room of the core. See docs/architecture.md."""
