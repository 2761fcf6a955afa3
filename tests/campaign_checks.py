"""Checks that the workers of a campaign import."""

import os
import time
from typing import Any

import numpy as np


def roll(rng: np.random.Generator, index: int) -> dict[str, Any]:
    return {"eyes": int(rng.integers(1, 7)), "square": index * index}


def slow_roll(rng: np.random.Generator, index: int) -> dict[str, Any]:
    time.sleep(0.005)
    return roll(rng, index)


def odd_ones_raise(rng: np.random.Generator, index: int) -> dict[str, Any]:
    if index % 2:
        raise ZeroDivisionError(f"index {index}")
    return roll(rng, index)


def not_plain(rng: np.random.Generator, index: int) -> dict[str, Any]:
    return {"set": {index}, "rng": rng}


def dies(rng: np.random.Generator, index: int) -> dict[str, Any]:
    if index == 40:
        os._exit(3)
    return roll(rng, index)
