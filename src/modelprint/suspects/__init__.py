"""What can be asked: local models, ONNX files, HTTP servers, recorded answers, any callable; `evasion/` round any.

Imported by ownership and bench; imports training and what lies below, no scheme and no attack. A new kind of suspect is
a subclass of `core.suspect.Suspect`, opened in `open`.
"""
