"""An LRNN as a model of Hugging Face's transformers: a small config and model class, local folders.

The weights are those of `torch_module`, in `model.safetensors`; names and sizes are in
`config.json`.  Nothing is downloaded, and no code is in the folder.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from lrnn_theory.export.modulefile import module_of, read_tensors
from lrnn_theory.export.torch_module import TorchLRNN
from lrnn_theory.export.torch_weights import to_torch
from lrnn_theory.lrnn import LRNN
from lrnn_theory.textfile import cannot_write, read_text, write_atomically, write_text

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
        ValueError: if the network does not fit a module, see `to_torch`, or the folder cannot be
            written.
        ImportError: if transformers is not installed.
    """
    model = _model(to_torch(lrnn, dtype))
    if path is not None:
        _save(model, Path(path))
    return model


def _save(model: Any, folder: Path) -> None:
    """What `save_pretrained` writes, each file whole or not at all."""
    model.config.architectures, model.config.dtype = [type(model).__name__], model.dtype
    with cannot_write(folder):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"Cannot write {str(folder)!r}: it is there, and no folder.")
        folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "model.safetensors", save(model.state_dict(), {"format": "pt"}))
    write_text(model.config.to_json_string(), folder / "config.json")


def _model(network: TorchLRNN) -> Any:
    config_class, model_class = classes()
    with torch.device("meta"):
        model = model_class(config_class(structure=network.structure))
    model.network = network
    return model.eval()


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
