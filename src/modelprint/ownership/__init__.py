"""The use cases: enroll a model, verify and identify suspects, decide, seal, bundle and check evidence.

The one place where a verdict is made. Imported by bench, report and cli; imports zoo and what lies below. A new use
case is a module with one public function, called from a command and from `modelprint`'s own face.
"""
