"""Which frames to look at, which faces to compare, and what is reported. No I/O, no pixels."""
