"""Answer tables of models that others trained: recorded once, shared without their weights.

`record_population` asks every model of a folder or list and writes a table; `bench.answers` judges schemes on it.
To keep more of each model, add a field to `table_file.RecordedModel`.
"""

from modelprint.bench.recording.listing import listed as listed
from modelprint.bench.recording.recording import record_population as record_population
from modelprint.bench.recording.table_file import TableFile as TableFile
from modelprint.bench.recording.table_file import is_table as is_table
from modelprint.bench.recording.table_file import read_table_file as read_table_file
