"""Exports: a compiled LRNN where people's models run; see docs/export.md."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrnn_theory.export.exports import Export, export
    from lrnn_theory.export.fla_module import FlaLRNN, to_fla
    from lrnn_theory.export.huggingface import from_huggingface, to_huggingface
    from lrnn_theory.export.modulefile import load_module, save_module
    from lrnn_theory.export.onnx_graph import to_onnx
    from lrnn_theory.export.read_back import from_torch
    from lrnn_theory.export.sul import aalpy_sul, from_aalpy, learn_with_aalpy
    from lrnn_theory.export.torch_module import TorchLRNN
    from lrnn_theory.export.torch_weights import to_torch
    from lrnn_theory.export.trial import Agrees, Differs, trial

_HOME = {
    "Agrees": "trial",
    "Differs": "trial",
    "Export": "exports",
    "FlaLRNN": "fla_module",
    "TorchLRNN": "torch_module",
    "aalpy_sul": "sul",
    "export": "exports",
    "from_aalpy": "sul",
    "from_huggingface": "huggingface",
    "from_torch": "read_back",
    "learn_with_aalpy": "sul",
    "load_module": "modulefile",
    "save_module": "modulefile",
    "to_fla": "fla_module",
    "to_huggingface": "huggingface",
    "to_onnx": "onnx_graph",
    "to_torch": "torch_weights",
    "trial": "trial",
}

__all__ = [
    "Agrees",
    "Differs",
    "Export",
    "FlaLRNN",
    "TorchLRNN",
    "aalpy_sul",
    "export",
    "from_aalpy",
    "from_huggingface",
    "from_torch",
    "learn_with_aalpy",
    "load_module",
    "save_module",
    "to_fla",
    "to_huggingface",
    "to_onnx",
    "to_torch",
    "trial",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lrnn_theory.export' has no attribute {name!r}")
    return getattr(import_module(f"lrnn_theory.export.{_HOME[name]}"), name)
