"""`export`: one function for all targets, with a verdict on what was exported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from lrnn_theory.automaton import Automaton
from lrnn_theory.export.fla_module import FlaLRNN, to_fla
from lrnn_theory.export.modulefile import save_module
from lrnn_theory.export.torch_module import TorchLRNN, to_torch
from lrnn_theory.export.trial import Agrees, Differs, trial
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification import extract

Target = Literal["torch", "fla"]
TARGETS: tuple[str, ...] = get_args(Target)


@dataclass(frozen=True, eq=False)
class Export:
    """What `export` made.

    Attributes:
        module: the module that was exported.
        verdict: how it did on words; None if it was not tried.
    """

    module: Any
    verdict: Agrees | Differs | None


def export(
    lrnn: LRNN,
    path: str | os.PathLike[str] | None = None,
    to: Target = "torch",
    *,
    verify: bool = True,
    automaton: Any = None,
    words: int = 200,
    length: int = 256,
    device: torch.device | str | None = None,
    **options: Any,
) -> Export:
    """Export an LRNN, and put the export to the test on random and adversarial words.

    Args:
        lrnn: the network.
        path: the file to write; none if not given.
        to: "torch", or "fla" for flash-linear-attention.
        verify: whether to try it.
        automaton: what it should answer like; by default what the LRNN does in exact arithmetic.
        words: how many words to try.
        length: letters of each.
        device: where to try it; by default the CPU.
        options: of `to_torch` or `to_fla`.

    Returns:
        The module, and the verdict of its trial.

    Raises:
        ValueError: if the network does not fit the target, or the file cannot be written.
        ImportError: if the target is not installed.

    Example:
        >>> from constructions import compile_dfa
        >>> export(compile_dfa("(0|10*1)*")).verdict
        Agrees(arithmetic='torch float32', words=200, letters=51200, longest=256)
    """
    if to not in TARGETS:
        raise ValueError(f"Argument 'to' must be one of {', '.join(TARGETS)}, not {to!r}.")
    module = to_torch(lrnn, **options) if to == "torch" else to_fla(lrnn, **options)
    if path is not None:
        save_module(module, path)
    verdict = None
    if verify:
        verdict = try_module(module, lrnn, automaton, words=words, length=length, device=device)
    return Export(module, verdict)


def try_module(
    module: TorchLRNN,
    lrnn: LRNN,
    automaton: Any = None,
    *,
    words: int = 200,
    length: int = 256,
    device: torch.device | str | None = None,
) -> Agrees | Differs:
    """The verdict of an exported module on words; arguments as for `export`."""
    if automaton is None:
        automaton = extract(lrnn, "exact")
    machine = Automaton.coerce(automaton, lrnn.letters).with_letters(lrnn.letters)
    if machine.kind != lrnn.kind:
        raise ValueError(f"Cannot compare a {lrnn.kind} network with a {machine.kind} machine.")
    target = module.target if isinstance(module, FlaLRNN) else "torch"
    name = f"{target} {str(module.embedding.weight.dtype).removeprefix('torch.')}"
    return trial(
        module.to(device or "cpu").answers,
        machine,
        name,
        symbols=lrnn.output_symbols,
        words=words,
        length=length,
        device=device,
    )
