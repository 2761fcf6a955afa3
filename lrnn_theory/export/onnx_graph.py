"""An LRNN as one ONNX graph, its scan over time inside: tokens in, output indices out.

    tokens   int64 (batch, time)       letter indices
    outputs  int64 (batch, time)       acceptance 0/1, or indices into the output symbols

The operator Scan runs a body letter by letter: contexts, actions and coordinates are integers that
pick rows of tables, so that floats appear in H <- A H + B and in the scores of the decoder only.
Names of letters and outputs are in the metadata of the model.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.export.torch_weights import floats, trimmed
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.textfile import write_atomically
from lrnn_theory.transition import MAX_WEIGHTS

OPSET = 17
DTYPES = ("float32", "float64")
_MISSING = "Exports to ONNX need it: pip install 'lrnn-theory[onnx]'."


def to_onnx(lrnn: LRNN, path: str | os.PathLike[str] | None = None, dtype: str = "float32") -> Any:
    """The `onnx.ModelProto` of an LRNN, checked; also written to a file if a path is given.

    Args:
        lrnn: a network without an exclusion tail.
        path: where to write it.
        dtype: "float32" or "float64", of states and weights; matrices are multiplied out.

    Raises:
        ValueError: if the network has a tail, or its matrices are too large.
        ImportError: if ONNX is not installed.
    """
    if dtype not in DTYPES:
        raise ValueError(f"Argument 'dtype' must be one of {', '.join(DTYPES)}, not {dtype!r}.")
    try:
        import onnx
    except ImportError as error:
        raise ImportError(_MISSING) from error
    model = _Graph(trimmed(lrnn), dtype, onnx.helper, onnx.TensorProto).model()
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        write_atomically(path, model.SerializeToString())
    return model


class _Graph:
    """The nodes and tables of a model, as they come."""

    def __init__(self, lrnn: LRNN, dtype: str, helper: Any, proto: Any) -> None:
        self.lrnn, self.dtype, self.helper, self.proto = lrnn, np.dtype(dtype), helper, proto
        self.real = {"float32": proto.FLOAT, "float64": proto.DOUBLE}[dtype]
        self.nodes: list[Any] = []
        self.tables: list[Any] = []
        self.count = 0  # names are unique in the model, its body included

    def table(self, array: NDArray[Any]) -> str:
        """A constant; floats in the model's type, all else int64."""
        if array.dtype.kind == "f":
            return self.constant(array.astype(self.dtype), self.real)
        return self.constant(array.astype(np.int64), self.proto.INT64)

    def constant(self, values: NDArray[Any], kind: int) -> str:
        """A constant of a type."""
        self.count += 1
        name, data = f"table{self.count}", np.ascontiguousarray(values).tobytes()
        self.tables.append(self.helper.make_tensor(name, kind, values.shape, data, raw=True))
        return name

    def node(self, operator: str, *inputs: str, output: str | None = None, **options: Any) -> str:
        """One operation; the name of its result."""
        self.count += 1
        name = output or f"x{self.count}"
        self.nodes.append(self.helper.make_node(operator, inputs, [name], **options))
        return name

    def pick(self, table: NDArray[Any], *indices: str) -> str:
        """`table[indices]`, element by element."""
        if len(indices) == 1:
            return self.node("Gather", self.table(table), indices[0], axis=0)
        minus = self.table(np.array([-1]))
        columns = [self.node("Unsqueeze", i, minus) for i in indices]
        return self.node("GatherND", self.table(table), self.node("Concat", *columns, axis=-1))

    def level(self, level: Level, context: str, h: str, after: str, shifted: str | None) -> str:
        """The nodes of a level; the context of the next one."""
        layer = level.layer
        if layer.n_actions * layer.n**2 > MAX_WEIGHTS:
            raise ValueError(
                f"{layer.n_actions} matrices of {layer.n} x {layer.n} pass the limit of "
                f"{MAX_WEIGHTS} weights."
            )
        matrices = np.stack([floats(layer.transition.matrix(a)) for a in range(layer.n_actions)])
        action = self.pick(level.action, context)
        moved = self.node("MatMul", self.pick(matrices, action), h)
        self.node("Add", moved, self.pick(floats(layer.b), action), output=after)
        word = self.decode(level, after)
        which = 0 if level.reads == "previous" else 1
        read = self.pick(layer.readout[:, :, which], action, word)
        if shifted is not None:
            self.node("Identity", read, output=f"{shifted}_after")
            read = shifted
        return self.pick(level.next, context, read)

    def decode(self, level: Level, h: str) -> str:
        """The index of the nearest codeword, slot by slot, in float64."""
        joint, first = "", 0
        wide = self.node("Cast", h, to=self.proto.DOUBLE)
        for words in level.layer.codewords:
            numbers = floats(words)
            count, rows, d = numbers.shape
            ends = [self.table(np.array([x])) for x in (first, first + rows, 1)]
            part = self.node("Slice", wide, *ends)
            flat = self.node("Reshape", part, self.table(np.array([-1, rows * d])))
            flatwords = numbers.reshape(count, -1)
            score = self.node("MatMul", flat, self.constant(flatwords.T, self.proto.DOUBLE))
            offset = (flatwords * flatwords).sum(axis=1) / 2
            score = self.node("Sub", score, self.constant(offset, self.proto.DOUBLE))
            best = self.node("ArgMax", score, axis=1, keepdims=0)
            if joint:
                scaled = self.node("Mul", joint, self.table(np.array(count)))
                best = self.node("Add", scaled, best)
            joint, first = best, first + rows
        return joint

    def body(self) -> tuple[Any, list[tuple[str, NDArray[Any]]]]:
        """The graph of one letter, and its states with their initial values."""
        lrnn, states, joint = self.lrnn, [], ""
        names = []
        token = self.pick(lrnn.letter_class, "token")
        i = 0
        for head_index, head in enumerate(lrnn.heads):
            context = token
            for level in head:
                states.append((f"h{i}", floats(level.layer.h0)))
                names.append((f"h{i}", f"h{i}_after"))
                shifted = None
                if level.reads == "shifted":
                    shifted = f"s{i}"
                    states.append((shifted, np.array(level.layer.initial)))
                    names.append((shifted, f"{shifted}_after"))
                context = self.level(level, context, f"h{i}", f"h{i}_after", shifted)
                i += 1
            combine = lrnn.combine[head_index - 1] if head_index else None
            joint = context if combine is None else self.pick(combine, joint, context)
        self.node("Gather", self.table(lrnn.output), joint, axis=0, output="output")
        info = self.helper.make_tensor_value_info

        def value(name: str, initial: NDArray[Any]) -> Any:
            kind = self.real if initial.dtype.kind == "f" else self.proto.INT64
            return info(name, kind, ["batch", *initial.shape])

        pairs = list(zip(names, states, strict=True))
        inputs = [value(before, x) for (before, _), (_, x) in pairs]
        outputs = [value(after, x) for (_, after), (_, x) in pairs]
        graph = self.helper.make_graph(
            self.nodes,
            "letter",
            [*inputs, info("token", self.proto.INT64, ["batch"])],
            [*outputs, info("output", self.proto.INT64, ["batch"])],
            self.tables,
        )
        return graph, states

    def model(self) -> Any:
        """The whole model."""
        body, states = self.body()
        self.nodes, self.tables = [], []
        shape = self.node("Shape", "tokens")
        edges = [self.table(np.array([x])) for x in (0, 1)]
        batch = self.node("Slice", shape, *edges)
        starts = []
        for _, initial in states:
            if initial.ndim:
                wanted = self.node("Concat", batch, self.table(np.array(initial.shape)), axis=0)
            else:
                wanted = batch
            starts.append(self.node("Expand", self.table(initial), wanted))
        ends = [f"end{i}" for i in range(len(states))]
        scan = self.helper.make_node(
            "Scan",
            [*starts, "tokens"],
            [*ends, "outputs"],
            body=body,
            num_scan_inputs=1,
            scan_input_axes=[1],
            scan_output_axes=[1],
        )
        info = self.helper.make_tensor_value_info
        graph = self.helper.make_graph(
            [*self.nodes, scan],
            "lrnn",
            [info("tokens", self.proto.INT64, ["batch", "time"])],
            [info("outputs", self.proto.INT64, ["batch", "time"])],
            self.tables,
        )
        model = self.helper.make_model(
            graph,
            opset_imports=[self.helper.make_opsetid("", OPSET)],
            ir_version=8,
            producer_name="lrnn-theory",
        )
        names = {"letters": self.lrnn.letters, "output_symbols": self.lrnn.output_symbols}
        facts = {"kind": self.lrnn.kind, "empty_output": self.lrnn.empty_output}
        for key, text in ({k: list(v) for k, v in names.items()} | facts).items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, json.dumps(text)
        return model
