"""The pure part: turns, windows, loudness, and what is believed of a recogniser."""
