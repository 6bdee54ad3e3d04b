"""Run the relay of a REAPER job: `python -m analysis_server.reaper JOB_FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from analysis_server.reaper.relay import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
