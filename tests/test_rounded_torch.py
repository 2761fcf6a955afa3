"""Weights and steps in float32, natively in torch and in fractions: projections, and DeltaNet."""

from fractions import Fraction as Q
from itertools import chain, combinations

import numpy as np
import torch
from cast_evaluation import FLOATS

from lrnn_theory.impossibility import negative_vector, psd

N, D, STEPS = 16, 3, 3000


def nearest(x):
    """To the nearest float32, ties to even; nothing overflows."""
    bits, unit, _ = FLOATS["float32"]
    size = abs(x.numerator).bit_length() - x.denominator.bit_length()  # |x| < 2^(size + 1)
    unit = Q(2) ** max(unit, size - bits)
    while abs(x) >= unit * 2**bits:
        unit *= 2
    return round(x / unit) * unit


def step(form, k, beta, v, h, q=lambda x: x):
    """One step; q rounds the result of every operation, and numbers of torch are rounded anyway."""
    dot = q(k[0] * h[0])
    for x, row in zip(k[1:], h[1:], strict=True):
        dot = q(dot + q(x * row))
    if form == "difference":  # H + k (beta (v - k^T H))^T
        return q(h + q(k[:, None] * q(beta * q(v - dot))[None]))
    forgotten = q(k[:, None] * q(beta * dot)[None])  # H - k (beta k^T H)^T + beta k v^T
    return q(q(h - forgotten) + q(q(beta * k)[:, None] * v[None]))


def exactly(x):
    """A tensor in fractions."""
    return np.vectorize(Q, otypes=[object])(x.double().numpy())


def token(seed):
    g = torch.Generator().manual_seed(seed)
    k, v = (torch.randn(n, generator=g, dtype=torch.float64) for n in (N, D))
    beta = torch.rand(1, generator=g) * 0.9 + 0.05
    return (k / k.norm()).float(), beta, v.float()


def after(form, seed, h):
    """The state after `STEPS` steps from a state, in torch."""
    numbers = token(seed)
    for _ in range(STEPS):
        h = step(form, *numbers, h)
    return h


def ends(form, seed, h):
    """The states after 0, 1 and 2 steps from a state, the same in torch and in fractions."""
    k, beta, v = token(seed)
    native, exact = [h], [exactly(h)]
    for _ in range(2):
        native.append(step(form, k, beta, v, native[-1]))
        numbers = map(exactly, (k, beta, v))
        exact.append(step(form, *numbers, exact[-1], np.vectorize(nearest, otypes=[object])))
    assert all((exactly(x) == y).all() for x, y in zip(native, exact, strict=True))
    return exact


def period(states):
    """1, 2, or None if it is neither."""
    return next((p for p in (1, 2) if (states[0] == states[p]).all()), None)


def test_a_step_that_adds_one_difference_often_ends_in_period_2():
    form, zero = "difference", torch.zeros(N, D)
    assert 2 in [period(ends(form, seed, after(form, seed, zero))) for seed in range(3, 5)]


def test_a_step_that_adds_two_terms_does_not_settle():
    """It moves across k: what is rounded off there is never taken back."""
    moving = 0
    for seed in range(4):
        h = after("sum", seed, torch.zeros(N, D))
        if period(ends("sum", seed, h)) is None:
            moving += 1
            moved, (k, _, _) = after("sum", seed, h) - h, token(seed)
            assert (k @ moved).norm() < moved.norm() / 10
    assert moving >= 2


def determinant(rows):
    """By cofactors."""
    if not rows:
        return 1
    rest = ([row[:j] + row[j + 1 :] for row in rows[1:]] for j in range(len(rows)))
    pairs = zip(rows[0], rest, strict=True)
    return sum((-1) ** j * x * determinant(part) for j, (x, part) in enumerate(pairs))


def semidefinite(a):
    """Whether a symmetric matrix is: no principal minor is negative."""
    parts = chain.from_iterable(combinations(range(len(a)), m) for m in range(1, len(a) + 1))
    return all(determinant([[a[i][j] for j in p] for i in p]) >= 0 for p in parts)


def test_projections_in_float32_are_semidefinite_by_chance():
    """I - k k^T for k of length 1, computed in torch, decided in fractions."""
    found = []
    for seed in range(60):
        k = torch.randn(4, generator=torch.Generator().manual_seed(seed))
        k = k / k.norm()
        a = exactly(torch.eye(4) - torch.outer(k, k)).tolist()
        found.append(semidefinite(a))
        assert (psd(a) is not None) == found[-1]
        if not found[-1]:
            x = negative_vector(a)
            assert np.array(x) @ np.array(a) @ np.array(x) < 0
    assert 15 <= sum(found) <= 45
