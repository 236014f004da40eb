"""All SQL of the house: one module of set-based statements per noun, over SQLite and PostgreSQL."""
