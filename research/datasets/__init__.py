"""Data sets that a command of ours makes, where no published one is at hand."""
