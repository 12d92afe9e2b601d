import numpy as np
from scipy.optimize import linear_sum_assignment

from modelprint.lineage import assignment


def test_large_tables_give_what_the_exact_assignment_gives(monkeypatch):
    generator = np.random.default_rng(0)
    order = generator.permutation(60)
    table = 0.2 * generator.normal(size=(60, 60))
    table[np.arange(60), order] += 1.0
    exact = linear_sum_assignment(table, maximize=True)[1]
    monkeypatch.setattr(assignment, "EXACT_UP_TO", 20)
    assert assignment.best_match(table).tolist() == exact.tolist() == order.tolist()


def test_a_table_without_structure_still_gives_each_channel_once(monkeypatch):
    monkeypatch.setattr(assignment, "EXACT_UP_TO", 5)
    table = np.random.default_rng(1).normal(size=(40, 30))
    match = assignment.best_match(table)
    assert sorted(match[match >= 0]) == list(range(30))
