"""Tools for people who change the samples; making samples needs none of them."""
