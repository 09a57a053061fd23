"""Reports on sessions: JSON and PDF, progress, and replay of what was recorded."""
