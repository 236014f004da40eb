"""Crisis notification dispatcher: compose once, get it approved, tell everyone, account for each."""

__version__ = "0.1.0"
