"""What layers of images and of series have in common, as types to ask for."""

from torch import nn

Convolution = nn.Conv1d | nn.Conv2d
Weighted = nn.Conv1d | nn.Conv2d | nn.Linear  # layers with a weight of (outputs, inputs, ...)
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d
