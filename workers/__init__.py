"""Celery's side of the house: tasks of a few lines that look at the ledger, and the schedule that wakes them."""
