"""Makes the modules of models/icons/training importable."""

import pathlib
import sys

TRAINING = pathlib.Path(__file__).resolve().parents[2] / "models" / "icons" / "training"
sys.path.insert(0, str(TRAINING))
