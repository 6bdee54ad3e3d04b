"""Everything around the numbers: the command line, the service behind it, reports and figures."""

from core import __version__

MADE_BY = f"Faderwise {__version__}"
