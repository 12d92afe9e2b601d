"""Schemes that need no gradients, judged on a table of recorded labels, without models or images."""

from modelprint.bench.answers import contrast as _contrast  # noqa: F401 - registers itself
from modelprint.bench.answers.judging import judge as judge
from modelprint.bench.answers.recorded import read_tables as read_tables
from modelprint.bench.answers.schemes import ANSWER_SCHEMES as ANSWER_SCHEMES
from modelprint.bench.answers.showing import leaderboard as leaderboard
from modelprint.bench.answers.table import AnswerTable as AnswerTable
from modelprint.bench.answers.table import read_table as read_table
