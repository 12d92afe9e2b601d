"""Evidence that a stranger can check: canonical JSON, signed envelopes, time stamps, one container; knows no scheme."""
