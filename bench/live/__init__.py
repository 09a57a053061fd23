"""Parts of the benchmark of calls."""
