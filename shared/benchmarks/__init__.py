"""Bundles beside what a user would pick instead: what is timed, how, and the report."""
