"""The use cases: enroll, verify, decide."""
