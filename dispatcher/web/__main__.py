"""`python -m dispatcher.web` serves; the Procfile's `web`."""

from dispatcher.web.server import main

main()
