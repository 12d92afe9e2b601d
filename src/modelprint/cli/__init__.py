"""The command line: parses, calls, prints. Results go to stdout, progress to stderr; nothing is computed here.

Nothing imports this room; it may import every other. A new command is a function in a module, named in `app._COMMANDS`;
options that several commands share are a group in `options`.
"""
