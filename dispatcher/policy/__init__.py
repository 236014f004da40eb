"""How we try: retry, limits, breaker, routing. Decisions only; services carry them out."""
