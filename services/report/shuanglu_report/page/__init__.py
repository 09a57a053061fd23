"""The page of a report: which pictures and words, in which order. Pure functions over the contract; no I/O."""
