"""quality: strategies, the fold of observations, findings and the verdict."""
