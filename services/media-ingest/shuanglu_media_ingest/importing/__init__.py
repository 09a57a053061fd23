"""Imports: accepted, queued in PostgreSQL, worked off into the store and told to the bus."""
