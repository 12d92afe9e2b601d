"""XGBoost's JSON files as boosted trees: read without XGBoost, nothing in them is run.

Source: XGBoost documentation, "Introduction to Model IO", and its JSON schema (doc/model.schema). A split there sends a
cell to the left where it is below the condition; cells of a stored vector lie on steps, so that every condition becomes
a threshold half a step below the first step that is not.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelprint.core.errors import ModelError
from modelprint.core.identity import digest
from modelprint.modalities.base import InputSpec
from modelprint.modalities.vector.spec import Column, VectorSpec
from modelprint.nn.architectures import Normalized
from modelprint.nn.nets.vector_trees import Trees
from modelprint.nn.spec import ModelSpec, build
from modelprint.nn.weight_files import read_bytes

MOST_TREES = 100_000
OBJECTIVES = ("multi:softprob", "multi:softmax", "binary:logistic", "binary:logitraw")


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Tree(_Lenient):
    left_children: list[int] = Field(min_length=1)
    right_children: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    split_type: list[int] = Field(default_factory=list)


class _Model(_Lenient):
    trees: list[_Tree] = Field(min_length=1, max_length=MOST_TREES)
    tree_info: list[int]


class _Booster(_Lenient):
    name: str
    model: _Model


class _Parameters(_Lenient):
    base_score: str
    num_class: int
    num_feature: int


class _Objective(_Lenient):
    name: str


class _Learner(_Lenient):
    feature_names: list[str] = Field(default_factory=list)
    gradient_booster: _Booster
    learner_model_param: _Parameters
    objective: _Objective


@dataclass(frozen=True, kw_only=True)
class TreesFile:
    """Boosted trees from a file.

    Attributes:
        identity: SHA-256 of the file.
    """

    module: Normalized
    spec: ModelSpec
    identity: str


def read_xgboost(path: Path, inputs: InputSpec | None) -> TreesFile:
    """The classifier in a JSON file of XGBoost, for the columns of a table.

    Args:
        inputs: of the data, whose columns are found by name where the file names its features, else by their order.

    Raises:
        ModelError: no such file, another booster or objective, categorical splits, trees that are none, columns that
            are missing, or another number of classes.
    """
    data = read_bytes(path)
    if not isinstance(inputs, VectorSpec):
        raise ModelError(f"{path} holds trees over the columns of a table: name its data, a .csv or another table")
    learner = _learner(data, path)
    classes = max(2, learner.learner_model_param.num_class)
    if classes != inputs.classes:
        raise ModelError(
            f"{path} tells {classes} classes apart, the data {inputs.classes}: use data of the classes it was made for"
        )
    places = _places(learner, inputs, path)
    groups = 1 if classes == 2 else classes
    trees, rounds = learner.gradient_booster.model.trees, len(learner.gradient_booster.model.trees) // groups
    nodes = max(len(tree.left_children) for tree in trees)
    leaves = max(2, (nodes + 2) // 2)
    depth = max(1, *(_depth(tree, path) for tree in trees))
    arguments = {"rounds": rounds, "leaves": leaves, "depth": depth}
    try:
        spec = ModelSpec.model_validate(
            {
                "arch": "vector-trees",
                "arch_args": arguments,
                "input": inputs.model_dump(mode="json"),
                "classes": classes,
            }
        )
    except ValidationError as error:
        raise ModelError(f"{path}: {error.errors()[0]['msg']}") from error
    module = build(spec)
    assert isinstance(module.body, Trees)
    module.body.put(*_arrays(learner, (rounds, groups, 2 * leaves - 1), inputs.columns, places, path))
    return TreesFile(module=module.eval(), spec=spec, identity=digest(data))


def _learner(data: bytes, path: Path) -> _Learner:
    try:
        content: Any = json.loads(data)
        learner = _Learner.model_validate(content["learner"] if isinstance(content, dict) else content)
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is no JSON file of XGBoost: save it with save_model('model.json')") from error
    if learner.gradient_booster.name != "gbtree" or learner.objective.name not in OBJECTIVES:
        raise ModelError(
            f"{path}: booster {learner.gradient_booster.name!a} with objective {learner.objective.name!a} is not read: "
            f"expected gbtree with {', '.join(OBJECTIVES)}"
        )
    model = learner.gradient_booster.model
    groups = max(1, learner.learner_model_param.num_class)
    groups = 1 if groups == 2 else groups
    if len(model.trees) % groups or model.tree_info != [n % groups for n in range(len(model.trees))]:
        raise ModelError(f"{path}: {len(model.trees)} trees for {groups} classes: parallel trees are not read")
    for number, tree in enumerate(model.trees):
        count = len(tree.left_children)
        lists = (tree.right_children, tree.split_indices, tree.split_conditions)
        if any(len(one) != count for one in lists) or any(tree.split_type):
            raise ModelError(f"{path}: tree {number} is damaged, or splits by categories, which is not read")
    return learner


def _places(learner: _Learner, inputs: VectorSpec, path: Path) -> list[int]:
    """The column of each feature."""
    names, count = [column.name for column in inputs.columns], learner.learner_model_param.num_feature
    if learner.feature_names:
        missing = [name for name in learner.feature_names if name not in names]
        if missing:
            raise ModelError(f"{path} splits by {missing[0]!r}, which is no column of the data: {', '.join(names[:8])}")
        return [names.index(name) for name in learner.feature_names]
    if count != len(names):
        raise ModelError(f"{path} takes {count} columns, the data have {len(names)}: use data that it was made for")
    return list(range(count))


def _depth(tree: _Tree, path: Path) -> int:
    """How many splits lie above the deepest leaf; a child has a larger number than its parent."""
    depth = [0] * len(tree.left_children)
    for node, (left, right) in enumerate(zip(tree.left_children, tree.right_children, strict=True)):
        for child in (left, right):
            if child == -1:
                continue
            if not node < child < len(depth):
                raise ModelError(f"{path}: node {node} of a tree has the child {child}: the file is damaged")
            depth[child] = depth[node] + 1
    return max(depth)


def _arrays(
    learner: _Learner, shape: tuple[int, int, int], columns: tuple[Column, ...], places: list[int], path: Path
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    groups = shape[1]
    arrays = {name: np.zeros(shape) for name in ("feature", "threshold", "left", "right", "value")}
    for number, tree in enumerate(learner.gradient_booster.model.trees):
        at = divmod(number, groups)
        for node, left in enumerate(tree.left_children):
            if left == -1:
                arrays["value"][(*at, node)] = tree.split_conditions[node]
                continue
            if not 0 <= tree.split_indices[node] < len(places):
                raise ModelError(f"{path}: a tree splits by feature {tree.split_indices[node]}: the file is damaged")
            place = places[tree.split_indices[node]]
            arrays["feature"][(*at, node)] = place
            arrays["threshold"][(*at, node)] = _threshold(tree.split_conditions[node], columns[place])
            arrays["left"][(*at, node)] = left
            arrays["right"][(*at, node)] = tree.right_children[node]
    scores = json.loads(learner.learner_model_param.base_score)
    base = np.resize(np.array(scores, dtype=np.float64).reshape(-1), groups)
    if learner.objective.name == "binary:logistic":
        base = np.array([math.log(value / (1 - value)) if 0 < value < 1 else 0.0 for value in base])
    return arrays, base


def _threshold(condition: float, column: Column) -> float:
    """Where a column from 0 to 1 is cut so that the same steps lie below."""
    values = column.values(np.arange(column.levels)) if column.categories is None else np.arange(column.levels)
    first = int(np.searchsorted(values.astype(np.float32), np.float32(condition), side="left"))
    return (first - 0.5) / max(1, column.levels - 1)
