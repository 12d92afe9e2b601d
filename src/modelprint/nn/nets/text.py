"""Small classifiers of texts: a convolution over bytes, n-grams with a linear layer, and a transformer over pieces.

All take bytes of UTF-8 with zeros behind the end, and answer the same however many zeros there are. The convolution
follows X. Zhang, J. Zhao, Y. LeCun, "Character-level Convolutional Networks for Text Classification", NIPS 2015, in
small; hashed n-grams A. Joulin, E. Grave, P. Bojanowski, T. Mikolov, "Bag of Tricks for Efficient Text Classification",
EACL 2017; the transformer A. Vaswani et al., "Attention Is All You Need", NIPS 2017 (encoder, normalisation first).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelprint.modalities.text.spec import TextSpec
from modelprint.nn.architectures import Features, Net, architecture
from modelprint.nn.pieces import BYTES, Pieces

_PRIME = 1_000_003


@architecture("text-cnn", modality="text")
def text_cnn(*, inputs: TextSpec, width: int = 32, embedding: int = 16) -> nn.Module:
    """Two convolutions over embedded bytes, the largest of each channel over the text: 11k parameters."""
    return Net(Features(_Convolutions(width, embedding)), width, inputs.classes)


@architecture("text-ngrams", modality="text")
def text_ngrams(*, inputs: TextSpec, buckets: int = 4096, width: int = 16, longest: int = 3) -> nn.Module:
    """The mean of embedded n-grams of one to three bytes, which are hashed into buckets."""
    return Net(Features(_Ngrams(buckets, width, longest)), width, inputs.classes)


@architecture("text-transformer", modality="text")
def text_transformer(
    *, inputs: TextSpec, width: int = 32, heads: int = 2, layers: int = 1, pieces: int = 512
) -> nn.Module:
    """Attention over pieces of one to four bytes, whose vocabulary is learned from the training texts."""
    return Net(Features(_Transformer(width, heads, layers, pieces, inputs.length)), width, inputs.classes)


class _Convolutions(nn.Module):
    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BYTES, embedding, padding_idx=0)
        self.conv1 = nn.Conv1d(embedding, width, 5, padding=2)
        self.norm1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1)
        self.norm2 = nn.BatchNorm1d(width)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features (n, width)."""
        written = (inputs != 0)[:, None]
        hidden = self.embedding(inputs).transpose(1, 2)
        hidden = torch.relu(self.norm1(self.conv1(hidden))) * written
        hidden = torch.relu(self.norm2(self.conv2(hidden))) * written
        largest: Tensor = hidden.amax(2)
        return largest


class _Ngrams(nn.Module):
    def __init__(self, buckets: int, width: int, longest: int) -> None:
        super().__init__()
        self.buckets, self.longest = buckets, longest
        self.table = nn.Embedding(buckets + 1, width, padding_idx=0)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features (n, width)."""
        numbers = inputs.to(torch.int64)
        found: list[Tensor] = []
        code, whole = torch.zeros_like(numbers), torch.ones_like(numbers, dtype=torch.bool)
        for by in range(self.longest):
            shifted = nn.functional.pad(numbers[:, by:], (0, by))
            whole = whole & (shifted != 0)
            code = (code * BYTES + shifted) % (2**31) * _PRIME % (2**31)
            found.append(torch.where(whole, 1 + code % self.buckets, 0))
        ngrams = torch.cat(found, dim=1)
        counted = (ngrams != 0).sum(1, keepdim=True).clamp_(min=1)
        mean: Tensor = self.table(ngrams).sum(1) / counted
        return mean


class _Transformer(nn.Module):
    def __init__(self, width: int, heads: int, layers: int, pieces: int, length: int) -> None:
        super().__init__()
        self.pieces = Pieces(pieces)
        self.embedding = nn.Embedding(BYTES + pieces, width, padding_idx=0)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features (n, width): the mean over the pieces of a text."""
        tokens = self.pieces(inputs)
        longest = min(len(self.places), max(1, int((tokens != 0).sum(1).max()))) if len(tokens) else 1
        tokens = tokens[:, :longest]
        written = tokens != 0
        hidden = self.embedding(tokens) + self.places[:longest]
        for block in self.blocks:
            hidden = block(hidden, written)
        hidden = self.norm(hidden) * written[:, :, None]
        mean: Tensor = hidden.sum(1) / written.sum(1, keepdim=True).clamp(min=1)
        return mean


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, hidden: Tensor, written: Tensor) -> Tensor:
        """One layer; pieces attend to the written ones."""
        count, length, width = hidden.shape
        split = self.mixed(self.norm1(hidden)).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        closeness = query @ key.transpose(2, 3) / (width // self.heads) ** 0.5
        closeness = closeness.masked_fill(~written[:, None, None], torch.finfo(closeness.dtype).min)
        attended = (closeness.softmax(3) @ value).transpose(1, 2).reshape(count, length, width)
        hidden = hidden + self.out(attended)
        wide = torch.relu(self.widen(self.norm2(hidden)))
        summed: Tensor = hidden + self.narrow(wide)
        return summed
