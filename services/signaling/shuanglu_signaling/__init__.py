"""Orders and sessions: what is signed, and where its dual recording stands."""
