"""Looks at sampled frames of video tracks and publishes what it saw. No judgement: quality judges."""
