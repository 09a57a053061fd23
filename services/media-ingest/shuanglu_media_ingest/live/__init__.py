"""The live door: makes segments of what the media server writes to the spool beside it, while it writes."""
