"""Sets of rows against a dictionary, with strong hashes and with weak ones."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.verification import rowset
from lrnn_theory.verification.rowset import RowSet, Stack

EXTREMES = st.sampled_from([0, 1, -1, 1 << 32, -(1 << 63), -(1 << 62), (1 << 63) - 1])


@st.composite
def batches(draw: st.DrawFn) -> list[torch.Tensor]:
    width = draw(st.integers(1, 3))
    words = draw(st.sampled_from([EXTREMES, st.integers(0, 3)]))
    rows = st.lists(words, min_size=width, max_size=width)
    many = draw(st.lists(st.lists(rows, max_size=12), min_size=1, max_size=6))
    return [torch.tensor(batch, dtype=torch.int64).reshape(-1, width) for batch in many]


def check(rows: RowSet, batches: list[torch.Tensor]) -> None:
    """The same numbers, and the same first places, as a dictionary gives."""
    known: dict[tuple[int, ...], int] = {}
    for batch in batches:
        fresh = []
        for i, row in enumerate(map(tuple, batch.tolist())):
            if row not in known:
                known[row] = len(known)
                fresh.append(i)
        numbers, first = rows.add(batch)
        assert numbers.dtype == first.dtype == torch.int64
        assert numbers.tolist() == [known[tuple(row)] for row in batch.tolist()]
        assert first.tolist() == fresh
        assert len(rows) == len(known)
        assert rows.rows.tolist() == list(map(list, known))


@given(batches(), st.sampled_from([0, 3, 64]), st.sampled_from([1, 2, 3, 16, 64]))
def test_rows_are_numbered_as_a_dictionary_numbers_them(
    batches: list[torch.Tensor], few: int, bits: int
) -> None:
    with patch.object(rowset, "_SMALL_RUN", 2):
        check(RowSet(batches[0].shape[1], few=few, bits=bits), batches)


@pytest.mark.parametrize("bits", [8, 16, 64])
@pytest.mark.parametrize("size", [100, 10_000])
def test_many_rows_in_batches_of_any_size(size: int, bits: int) -> None:
    """Half of them are old; runs merge, and weak hashes collide long after the first batch."""
    draw = torch.Generator().manual_seed(size)
    many = [torch.randint(0, 150, (size, 2), generator=draw) for _ in range(6)]
    check(RowSet(2, bits=bits), [many[0], many[1][:7], *many[2:], many[0], many[0][:0]])


def test_rows_that_differ_in_one_bit() -> None:
    rows = (torch.ones(64, dtype=torch.int64) << torch.arange(64))[:, None]
    pairs = torch.cat([torch.cat([rows, 0 * rows], 1), torch.cat([0 * rows, rows], 1)])
    check(RowSet(2, few=0), [pairs, pairs.flip(0), pairs + 1])


def test_a_column_of_a_table_need_not_be_contiguous() -> None:
    table = torch.arange(60).reshape(10, 6) // 7
    for few in (0, 64):
        check(RowSet(3, few=few), [table[:, ::2], table.flip(0)[:, 1::2]])


def test_a_collision_starts_the_set_over_with_a_wider_hash() -> None:
    """Three rows cannot have different hashes of one bit."""
    rows = RowSet(1, few=0, bits=1)
    with patch.object(RowSet, "_rehash", autospec=True, side_effect=RowSet._rehash) as rehash:
        rows.add(torch.tensor([[5], [6], [7]]))
    assert rehash.called
    assert rows.add(torch.tensor([[7], [6], [5], [4]]))[0].tolist() == [2, 1, 0, 3]


def test_a_hash_that_never_collides_is_kept() -> None:
    with patch.object(RowSet, "_rehash") as rehash:
        check(RowSet(2, few=0), [torch.randint(0, 1000, (5_000, 2)), torch.eye(2).long()])
    assert not rehash.called


def test_a_stack_grows() -> None:
    stack = Stack(torch.tensor([[0, 1]]))
    for i in range(1, 40):
        stack.append(torch.arange(i * (i + 1), (i + 1) * (i + 2)).reshape(-1, 2))
    assert len(stack) == 40 * 41 // 2
    assert stack.rows.ravel().tolist() == list(range(40 * 41))


def test_runs_stay_few() -> None:
    rows = RowSet(1, few=0)
    for part in torch.arange(100_000)[:, None].split(100):
        rows.add(part)
    assert len(rows._runs) <= 6  # about log2(100 000 / 4 096)


@pytest.mark.gpu
def test_a_gpu_numbers_rows_alike() -> None:
    draw = torch.Generator().manual_seed(0)
    here, there = RowSet(3), RowSet(3, "cuda")
    for size in (5, 1_000, 100_000):
        rows = torch.randint(0, 40, (size, 3), generator=draw)
        for x, y in zip(here.add(rows), there.add(rows.cuda()), strict=True):
            assert torch.equal(x, y.cpu())
