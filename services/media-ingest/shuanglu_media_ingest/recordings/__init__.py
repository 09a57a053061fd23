"""What belongs to live recordings beside the recorder: the ID photo, and the comparison with the store."""
