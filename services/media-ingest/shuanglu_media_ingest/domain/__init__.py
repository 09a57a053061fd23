"""The thinking of media-ingest: no I/O, no framework."""
