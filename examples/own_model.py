"""A model of one's own: a small vision transformer, and the recipe that trains it.

modelprint train digits:owner --arch examples/own_model.py:net --recipe examples/own_model.py:fit --out mine.safetensors
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PatchTransformer(nn.Module):
    """Patches, two attention layers, the mean of the tokens, one linear layer."""

    def __init__(self, channels: int, size: int, classes: int, *, patch: int = 2, width: int = 32) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.places = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """Logits of images in [0, 1], as many libraries return them: by name."""
        tokens = self.patches(2 * inputs - 1).flatten(2).transpose(1, 2) + self.places
        return {"logits": self.head(self.layers(tokens).mean(1))}


def net(*, channels: int, size: int, classes: int) -> nn.Module:
    """What `--arch` names: an untrained network; modelprint tells it the shape of the data."""
    return PatchTransformer(channels, size, classes)


def fit(model, data, *, seed, device, progress):
    """What `--recipe` names: trains the model in place."""
    epochs, size, rate = 25, 32, 5e-3
    batches = -(-len(data.labels) // size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches)
    model.train()
    for epoch in range(epochs):
        for inputs, targets in data.batches(size, seed + epoch):
            loss = nn.functional.cross_entropy(logits_of(model(inputs)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        progress("epochs", epoch + 1, epochs)
    model.eval()


def logits_of(outputs):
    """Logits, from what this network returns, or from modelprint's wrapper round it, which returns them plainly."""
    return outputs["logits"] if isinstance(outputs, dict) else outputs
