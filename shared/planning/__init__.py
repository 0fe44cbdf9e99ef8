"""A bundle of one's own from a data set: what is looked at, what is concluded from it, and what is written."""
