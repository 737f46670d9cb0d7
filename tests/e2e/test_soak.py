"""The scenarios of tests/soak in their short form."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "soak"))

from short import SHORT
from soak import SCENARIOS


@pytest.mark.parametrize("name", SHORT)
def test_holds(name):
    report = SCENARIOS[name](**SHORT[name])

    assert report.misses == [], report.figures
