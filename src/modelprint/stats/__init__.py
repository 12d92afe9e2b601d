"""Tests, intervals, ROC and calibration: pure functions of arrays."""
