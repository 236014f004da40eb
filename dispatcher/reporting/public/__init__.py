"""What the public may read, in the forms in which people and machines read it. Pure: it is handed a Publication."""
