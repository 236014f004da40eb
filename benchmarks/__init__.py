"""Measures this program beside the raw limit of a bare loop and beside the naive design, on this machine."""
