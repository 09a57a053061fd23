"""Listens: where somebody speaks, how loud it is, and what is said."""
