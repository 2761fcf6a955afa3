"""An LRNN as a model of Hugging Face's transformers: a small config and model class, local folders.

The weights are those of `torch_module`, in `model.safetensors`; names and sizes are in
`config.json`.  Nothing is downloaded, and no code is in the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrnn_theory.export.modulefile import module_of, read_tensors
from lrnn_theory.export.torch_module import TorchLRNN
from lrnn_theory.export.torch_weights import to_torch
from lrnn_theory.lrnn import LRNN
from lrnn_theory.textfile import read_text

PREFIX = "network."
"""Before the names of the tensors in a model's file."""
_MISSING = "Exports to Hugging Face need it: pip install 'lrnn-theory[huggingface]'."


@cache
def classes() -> tuple[Any, Any]:
    """The classes `LrnnConfig` and `LrnnModel`.

    Raises:
        ImportError: if transformers is not installed.
    """
    try:
        from transformers import PretrainedConfig, PreTrainedModel
        from transformers.modeling_outputs import CausalLMOutputWithPast
    except ImportError as error:
        raise ImportError(_MISSING) from error

    class LrnnConfig(PretrainedConfig):
        """Names and sizes: `structure`, as `TorchLRNN` takes it."""

        model_type = "lrnn"

        def __init__(self, structure: dict[str, Any] | None = None, **options: Any) -> None:
            self.structure = structure
            super().__init__(**options)

    class LrnnModel(PreTrainedModel):
        """Letter indices to outputs, one-hot as logits; `past_key_values` is the hidden state."""

        config_class = LrnnConfig
        base_model_prefix = "network"
        main_input_name = "input_ids"

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.network = TorchLRNN(config.structure)
            self.post_init()

        def _init_weights(self, module: Any) -> None:
            """Weights come from a file."""

        def forward(
            self, input_ids: Tensor, past_key_values: Any = None, **_: Any
        ) -> CausalLMOutputWithPast:
            """Read words, (batch, time), from the start or on from a hidden state."""
            logits, state = self.network(input_ids, past_key_values)
            return CausalLMOutputWithPast(
                logits=logits,
                past_key_values=state,  # pyright: ignore
            )

    return LrnnConfig, LrnnModel


def to_huggingface(lrnn: LRNN, path: Any = None, dtype: torch.dtype = torch.float32) -> Any:
    """The `LrnnModel` of an LRNN; also saved to a folder if one is given.

    Raises:
        ValueError: if the network does not fit a module, see `to_torch`.
        ImportError: if transformers is not installed.
    """
    model = _model(to_torch(lrnn, dtype))
    if path is not None:
        if Path(path).exists() and not Path(path).is_dir():
            raise ValueError(f"Cannot write {str(path)!r}: it is there, and no folder.")
        with _quiet():
            model.save_pretrained(path)
    return model


def _model(network: TorchLRNN) -> Any:
    config_class, model_class = classes()
    with torch.device("meta"):
        model = model_class(config_class(structure=network.structure))
    model.network = network
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of a library in the middle of our own output."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def from_huggingface(path: Any) -> Any:
    """The `LrnnModel` in a local folder.

    The class's own `from_pretrained` gives the same model, for folders that one trusts: it does
    whatever a config asks for.  Here names and sizes are compared with the tensors of
    `model.safetensors` before memory is spent, and nothing else is read.

    Raises:
        ValueError: if there is none, or its files are damaged or do not belong together.
        ImportError: if transformers is not installed.
    """
    folder = Path(path)
    if not (folder / "config.json").is_file():
        raise ValueError(f"Cannot read {str(path)!r}: there is no 'config.json' of a model in it.")
    classes()  # whether it is installed
    _, stored = read_tensors(folder / "model.safetensors")
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in stored.items()}
    try:
        structure = json.loads(read_text(folder / "config.json"))["structure"]
        network = module_of(structure, tensors)
    except (LookupError, RecursionError, TypeError) as error:
        raise ValueError(f"Cannot read {str(path)!r}: it has no structure ({error}).") from None
    except ValueError as error:
        raise ValueError(f"Cannot read {str(path)!r}: {str(error).rstrip('.')}.") from None
    return _model(network)
