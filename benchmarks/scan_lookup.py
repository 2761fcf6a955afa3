"""The yardstick on a GPU: a table lookup of the automaton, one lane a word, final states only."""

import torch
import triton
import triton.language as tl

BLOCK = 128


@triton.jit
def _lookup(letters, table, out, time, STATES: tl.constexpr, BLOCK: tl.constexpr):
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    q = tl.zeros([BLOCK], tl.int32)
    source = letters + lane.to(tl.int64) * (time // 4)
    for t in range(time // 4):
        four = tl.load(source + t)
        for k in tl.static_range(4):
            q = tl.load(table + ((four >> (8 * k)) & 255) * STATES + q).to(tl.int32)
    tl.store(out + lane, q)


def lookup(automaton, tokens):
    """A function that runs it on bytes (batch, time), multiples of 128 and 4."""
    batch, time = tokens.shape
    delta = torch.tensor(automaton.delta, dtype=torch.int32, device=tokens.device)
    out = torch.empty(batch, dtype=torch.int32, device=tokens.device)
    letters = tokens.view(torch.int32)

    def run():
        _lookup[(batch // BLOCK,)](
            letters, delta, out, time, STATES=automaton.n_states, BLOCK=BLOCK
        )

    return run
