"""Everything around the numbers: the command line, the service behind it, reports and figures."""
