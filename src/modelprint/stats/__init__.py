"""Tests, intervals, ROC and calibration: pure functions of arrays.

Imported by what lies above; imports no other room. A new statistic is a function here, tested against an independent
reference; what scipy or scikit-learn has is called.
"""
