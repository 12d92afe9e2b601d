"""Evidence from weights: whether the tensors of a suspect were made from those of a source, without any query.

The parts: `tensors` and `onnx_tensors` read files one tensor at a time; `weights`, `forms` and `wiring` bring them into
one form; `pairing` and `alignment` say which tensor and which channel stands for which; `compare` gives the figures.
Imported by what lies above training; imports nn, stats and core. A new file format is a class with the two members of
`tensors.Tensors`.
"""

from modelprint.lineage.ancestry import ancestry as ancestry
from modelprint.lineage.compare import compare as compare
from modelprint.lineage.reference import LineageReference as LineageReference
from modelprint.lineage.reference import reference_of as reference_of
from modelprint.lineage.result import LineageResult as LineageResult
from modelprint.lineage.suspect_forms import SuspectForms as SuspectForms
from modelprint.lineage.tensors import StateTensors as StateTensors
from modelprint.lineage.tensors import Tensors as Tensors
from modelprint.lineage.tensors import open_tensors as open_tensors
