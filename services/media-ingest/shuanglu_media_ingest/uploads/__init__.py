"""The upload door: tus into a spool that survives crashes, and what the spool holds."""
