"""Where the programs under test are: in $SSD1B_BIN_DIR, else in build/bin."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BIN_DIR = Path(os.environ.get("SSD1B_BIN_DIR", REPO / "build" / "bin"))
