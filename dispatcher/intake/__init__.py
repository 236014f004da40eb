"""Incident tools, one file each: how its posts are proved, read, and put into our words."""
