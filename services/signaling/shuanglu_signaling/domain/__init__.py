"""The thinking of signaling: no I/O, no framework; time, ids and keys come in as arguments."""
