"""Messages as people will get them: for chosen recipients, in the terminal and as one HTML page. See `frames`."""
