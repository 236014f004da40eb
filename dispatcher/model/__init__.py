"""The nouns: frozen dataclasses and enums without I/O. One theme per module; DESIGN words, one meaning each."""
