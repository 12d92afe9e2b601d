"""Tests, intervals, ROC and calibration: pure functions of arrays.

Imported by everything above; imports core only. A new statistic is a function here, tested against an independent
reference; what scipy or scikit-learn has is called.
"""
