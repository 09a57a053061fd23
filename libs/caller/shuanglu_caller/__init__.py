"""A participant of a call without a browser."""
