"""Pure domain of quality: no I/O, no framework; time comes in as a value."""
