"""`export`: one function for all targets, with a verdict on what was exported."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from lrnn_theory.automaton import Automaton
from lrnn_theory.export.fla_module import to_fla
from lrnn_theory.export.huggingface import to_huggingface
from lrnn_theory.export.modulefile import save_module
from lrnn_theory.export.onnx_graph import to_onnx
from lrnn_theory.export.torch_weights import to_torch
from lrnn_theory.export.trial import Agrees, Differs, check_size, trial
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification import extract

Target = Literal["torch", "fla", "onnx", "huggingface"]
TARGETS: tuple[str, ...] = get_args(Target)


@dataclass(frozen=True, eq=False)
class Export:
    """What `export` made.

    Attributes:
        made: the torch module, the ONNX model or the Hugging Face model.
        verdict: how it did on words; None if it was not tried.
    """

    made: Any
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
        path: the file to write, or the folder for Hugging Face; none if not given.
        to: "torch", "fla" for flash-linear-attention, "onnx", or "huggingface".
        verify: whether to try it.
        automaton: what it should answer like; by default what the LRNN does in exact arithmetic.
        words: how many words to try.
        length: letters of each.
        device: where to try it; by default the CPU, and for "fla" a GPU if there is one.
        options: of `to_torch`, `to_fla`, `to_onnx` or `to_huggingface`.

    Returns:
        What was made, and the verdict of its trial.

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
    if verify:
        check_size(words, length)
    if to == "fla" and verify:
        device = _kernels_run_on(device)
    made, answers, name = _MAKERS[to](lrnn, path, device or "cpu", options)
    verdict = None
    if verify:
        machine = machine_for(lrnn, automaton)
        symbols = lrnn.output_symbols
        verdict = trial(
            answers, machine, name, symbols=symbols, words=words, length=length, device=device
        )
    return Export(made, verdict)


def _kernels_run_on(device: torch.device | str | None) -> torch.device:
    """Where Triton's kernels run: a GPU, or the CPU in its interpreter."""
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if place.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise ValueError(
            "To try an export to flash-linear-attention needs a CUDA device, or TRITON_INTERPRET=1 "
            "for fused kernels; --no-trial (verify=False in Python) only writes it."
        )
    return place


def machine_for(lrnn: LRNN, automaton: Any = None) -> Automaton:
    """An automaton to compare an LRNN with, over its letters in its order."""
    if automaton is None:
        return extract(lrnn, "exact")
    machine = Automaton.coerce(automaton, lrnn.letters).with_letters(lrnn.letters)
    if machine.kind != lrnn.kind:
        raise ValueError(f"Cannot compare a {lrnn.kind} network with a {machine.kind} machine.")
    return machine


Made = tuple[Any, Callable[[Tensor], Tensor], str]


def _torch(lrnn: LRNN, path: Any, device: Any, options: dict[str, Any]) -> Made:
    module = to_torch(lrnn, **options)
    if path is not None:
        save_module(module, path)
    return module, module.to(device).answers, f"torch {_dtype(module)}"


def _fla(lrnn: LRNN, path: Any, device: Any, options: dict[str, Any]) -> Made:
    module = to_fla(lrnn, **options)
    if path is not None:
        save_module(module, path)
    return module, module.to(device).answers, f"{module.target} {_dtype(module)}"


def _huggingface(lrnn: LRNN, path: Any, device: Any, options: dict[str, Any]) -> Made:
    model = to_huggingface(lrnn, path, **options)
    return model, model.to(device).network.answers, f"huggingface {_dtype(model)}"


def _onnx(lrnn: LRNN, path: Any, device: Any, options: dict[str, Any]) -> Made:  # noqa: ARG001
    model = to_onnx(lrnn, path, **options)
    return model, _in_onnxruntime(model), f"onnx {options.get('dtype', 'float32')}"


_MAKERS: dict[str, Callable[[LRNN, Any, Any, dict[str, Any]], Made]] = {
    "torch": _torch,
    "fla": _fla,
    "onnx": _onnx,
    "huggingface": _huggingface,
}


def _dtype(module: torch.nn.Module) -> str:
    return str(next(module.parameters()).dtype).removeprefix("torch.")


def _in_onnxruntime(model: Any) -> Callable[[Tensor], Tensor]:
    """How onnxruntime answers, on the CPU."""

    def answers(tokens: Tensor) -> Tensor:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(
                "Trying an ONNX model needs onnxruntime: pip install 'lrnn-theory[onnx]'."
            ) from error
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        rows = np.asarray(tokens.cpu(), np.int64)
        return torch.as_tensor(np.asarray(session.run(None, {"tokens": rows})[0]))

    return answers
