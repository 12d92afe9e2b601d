"""Subspaces of perturbations: how few directions they lie in, and how near those of two models are.

S.-M. Moosavi-Dezfooli, A. Fawzi, O. Fawzi, P. Frossard, "Universal adversarial perturbations", CVPR 2017, section 4
(singular values of boundary normals against random directions); A. Bjorck, G. Golub, "Numerical methods for computing
angles between linear subspaces", Mathematics of Computation 1973 (principal angles).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def spectrum(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " k"]:
    """Singular values of the unit vectors, falling, scaled so that their squares sum to 1; k = min(n, d).

    >>> spectrum(np.array([[2.0, 0.0], [5.0, 0.0]])).round(4).tolist()
    [1.0, 0.0]

    Raises:
        ValueError: no vectors, or one of zeros.
    """
    values: Float[np.ndarray, " k"] = np.linalg.svd(_unit(vectors), compute_uv=False) / len(vectors) ** 0.5
    return values


def directions_for(values: Float[np.ndarray, " k"], *, energy: float) -> int:
    """How many directions carry that share of the energy of a spectrum.

    >>> directions_for(np.array([0.9, 0.3, 0.3, 0.1]), energy=0.9)
    2

    Raises:
        ValueError: a share outside (0, 1].
    """
    if not 0 < energy <= 1:
        raise ValueError(f"energy must lie between 0 and 1, got {energy}")
    shares = np.cumsum(np.square(values)) / np.sum(np.square(values))
    return int(np.searchsorted(shares, energy - 1e-12) + 1)


def leading_subspace(vectors: Float[np.ndarray, "n d"], *, size: int) -> Float[np.ndarray, "size d"]:
    """An orthonormal basis of the directions that carry the most energy of the unit vectors.

    Raises:
        ValueError: more directions than vectors or dimensions.
    """
    if not 1 <= size <= min(np.shape(vectors)):
        raise ValueError(f"expected 1 to {min(np.shape(vectors))} directions, got {size}")
    basis: Float[np.ndarray, "size d"] = np.linalg.svd(_unit(vectors), full_matrices=False)[2][:size]
    return basis


def principal_angles(one: Float[np.ndarray, "k d"], other: Float[np.ndarray, "k d"]) -> Float[np.ndarray, " k"]:
    """The angles between two subspaces given by orthonormal rows, in degrees, rising from 0 to 90.

    >>> axes = np.eye(4)
    >>> principal_angles(axes[:2], axes[1:3]).round(6).tolist()
    [0.0, 90.0]

    Raises:
        ValueError: rows that are not orthonormal, or of other lengths.
    """
    for basis in (one, other):
        if not np.allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-6):
            raise ValueError("expected orthonormal rows: use leading_subspace")
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"the subspaces lie in {one.shape[1]} and {other.shape[1]} dimensions")
    from scipy import linalg

    angles: Float[np.ndarray, " k"] = np.sort(np.degrees(linalg.subspace_angles(one.T, other.T)))
    return angles


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not len(vectors) or not np.all(lengths > 0):
        raise ValueError(f"expected one direction or more, none of them zero, got {len(vectors)}")
    unit: np.ndarray = np.asarray(vectors, dtype=np.float64) / lengths
    return unit
