"""Crafted files: one clear line each, and no more memory than a small multiple of their size."""

from __future__ import annotations

import importlib.util
import json
import struct
import time
import tracemalloc

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from constructions import compile_dfa
from lrnn_theory import LRNN, languages, storage
from lrnn_theory.export import from_torch, load_module, modulefile, save_module, to_fla


def parts(path):
    with safe_open(path, framework="numpy") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()["header"]), tensors


def forge(path, header, tensors, version="1"):
    """Write a file whose digest is right."""
    text = header if isinstance(header, str) else json.dumps(header)
    digest = storage._digest(text, tensors)
    metadata = {"format": "lrnn-theory", "version": version, "header": text, "digest": digest}
    save_file(tensors, path, metadata)


def refuse(path, match, load=LRNN.load):
    """The error is one line, soon there, and cost little memory."""
    size = path.stat().st_size
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ValueError, match=match) as error:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 20
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 2000
    assert peak < 100 * size + 50_000_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "w.safetensors"
    compile_dfa(languages.mod(5), "rotation").save(path)
    return path


def test_a_header_longer_than_the_file(file):
    file.write_bytes(struct.pack("<Q", 2**60) + file.read_bytes()[8:])
    refuse(file, "no whole safetensors file")


def test_tensors_that_reach_beyond_the_file(file):
    header = {"x": {"dtype": "I64", "shape": [2**40], "data_offsets": [0, 2**43]}}
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"12345678")
    refuse(file, "no whole safetensors file")


def test_json_nested_deeper_than_any_stack(file):
    forge(file, "[" * 200_000, parts(file)[1])
    refuse(file, "malformed")


@pytest.mark.parametrize(
    "number", ["1 z99991^1 + 1 z99989^1", "1 z30030^1 + 1 z30030^3", "1/0", "z^z"]
)
def test_numbers_that_cost_more_than_they_seem(file, number):
    header, tensors = parts(file)
    count = len(json.loads(tensors["head0.level0.keys.exact"].tobytes()))
    text = json.dumps([number] * count).encode()
    forge(file, header, tensors | {"head0.level0.keys.exact": np.frombuffer(text, np.uint8)})
    refuse(file, "malformed")


def test_many_roots_of_unity(file):
    header, tensors = parts(file)
    text = json.dumps([f"{i} z9973^1" for i in range(2000)]).encode()
    forge(file, header, tensors | {"head0.level0.keys.exact": np.frombuffer(text, np.uint8)})
    refuse(file, "roots of unity")


@pytest.mark.parametrize("shape", [[2**40, 2**40], [-7, -7], [2**62]])
def test_shapes_that_are_none(file, shape):
    header, tensors = parts(file)
    forge(file, header, tensors | {"head0.level0.keys.shape": np.array(shape)})
    refuse(file, "malformed")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("letters", 7), ("letters", [1, 2]), ("letters", ["a"] * 10), ("heads", 10**400),
        ("heads", []), ("heads", [[{}]]), ("empty_output", 0.5), ("empty_output", 10**30),
        ("empty_output", float("nan")), ("kind", ["dfa"]), ("output_symbols", "01"),
        ("construction", {}), ("reason", None), ("claims", 3), ("claims", [{"verdict": "true"}]),
    ],
)  # fmt: skip
def test_a_header_of_other_types(file, name, value):
    header, tensors = parts(file)
    forge(file, header | {name: value}, tensors)
    refuse(file, ".")


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 10**30), ("size", 0.5), ("slots", 10**12), ("initial", True), ("reads", [1]),
     ("transition", None), ("slots", -1), ("initial", 10**400)],
)  # fmt: skip
def test_a_level_of_other_sizes(file, name, value):
    header, tensors = parts(file)
    header["heads"][0][0][name] = value
    forge(file, header, tensors)
    refuse(file, ".")


def test_a_later_version_with_a_right_digest(file):
    forge(file, *parts(file), version="2")
    refuse(file, "version 2, expected 1")


def test_indices_out_of_range(file):
    header, tensors = parts(file)
    for name in ("letter_class", "output", "head0.level0.next", "head0.level0.action"):
        for value in (-1, 2**31 - 1):
            spoilt = np.full_like(tensors[name], value)
            forge(file, header, tensors | {name: spoilt})
            refuse(file, ".")


def test_a_template_whose_tables_would_be_huge(tmp_path):
    path = tmp_path / "layer.safetensors"
    letters = [str(i) for i in range(50_000)]
    layer = {
        "diagonal": np.ones((50_000, 1), np.int8),
        "codewords": np.ones((50_000, 1), np.int8),
        "outputs": np.ones(50_000, np.int8),
    }
    save_file(layer, path, {"letters": json.dumps(letters)})
    refuse(path, "more than 1048576 numbers that are not in the file")
    layer |= {"codewords": np.ones((1, 1, 50_000), np.int8), "outputs": np.ones(1, np.int8)}
    save_file(layer, path, {"letters": json.dumps(letters)})
    refuse(path, "more than 1048576 numbers that are not in the file")


# -------------------------------------------------------------------- modules


def forge_module(path, structure, tensors):
    text = json.dumps(structure)
    stored = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()}
    metadata = {"format": "lrnn-theory module", "version": "1", "structure": text}
    save_file(tensors, path, metadata | {"digest": modulefile._digest(text, stored)})


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "m.safetensors"
    save_module(compile_dfa("(0|10*1)*").to_torch(), path)
    load_module(path)  # torch imports more of itself, which is not the file's fault
    with safe_open(path, framework="numpy") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        return path, json.loads(file.metadata()["structure"]), tensors


@pytest.mark.parametrize(
    ("name", "value"),
    [("units", 10**9), ("n", 10**12), ("actions", -1), ("transition", "fourier"), ("slots", []),
     ("factors", 2**62), ("contexts", 10**400), ("below", "x")],
)  # fmt: skip
def test_a_module_of_sizes_that_its_file_does_not_have(module, name, value):
    path, structure, tensors = module
    structure["heads"][0][0][name] = value
    forge_module(path, structure, tensors)
    refuse(path, "malformed", load_module)


def test_a_module_that_asks_for_more_factors_than_it_stores(module):
    """Building it costs nothing on torch's meta device, but a letter would take a loop of 10^7."""
    path, structure, tensors = module
    structure["heads"][0][0]["factors"] = 10**7
    forge_module(path, structure, tensors)
    refuse(path, "not those of its structure", load_module)


def test_a_module_of_many_factors_for_no_action(module):
    """Its tensors are what the structure says, and hold no number."""
    path, structure, tensors = module
    structure["heads"][0][0] |= {"actions": 0, "factors": 10**9}
    empty = {
        "action.weight": (0, 2), "cell.keys": (0, 10**9, 1), "cell.betas": (0, 10**9),
        "cell.inputs": (0, 1, 1),
    }  # fmt: skip
    tensors |= {f"heads.0.0.{k}": np.zeros(shape, np.float32) for k, shape in empty.items()}
    forge_module(path, structure, tensors)
    refuse(path, "one of its sizes is 0", load_module)


def test_a_module_of_many_codewords_of_no_number(module):
    path, structure, tensors = module
    structure["heads"][0][0] |= {"slots": [[10**12, 0]], "units": 0}
    empty = {
        "decoder.codewords.0": (10**12, 0), "wiring.left.weight": (0, 2), "wiring.left.bias": (0,),
        "wiring.right.weight": (0, 10**12), "wiring.out.weight": (2, 0),
    }  # fmt: skip
    tensors |= {f"heads.0.0.{k}": np.zeros(shape, np.float32) for k, shape in empty.items()}
    forge_module(path, structure, tensors)
    refuse(path, "one of its sizes is 0", load_module)


def test_a_module_of_many_slots(module):
    """The number of joint codewords, 2^64, is 0 as a number of 64 bits."""
    path, structure, tensors = module
    structure["heads"][0][0]["slots"] = [[2, 1]] * 64
    tensors |= {f"heads.0.0.decoder.codewords.{i}": np.zeros((2, 1), "f4") for i in range(64)}
    tensors["heads.0.0.wiring.right.weight"] = np.zeros((2, 0), np.float32)
    forge_module(path, structure, tensors)
    refuse(path, "malformed", load_module)


def test_a_long_module_is_not_run_to_be_read(module):
    """As many factors as there are numbers in the file: the sizes are compared, once."""
    path, structure, tensors = module
    structure["heads"][0][0]["factors"] = 10**6
    tensors["heads.0.0.cell.keys"] = np.zeros((2, 10**6, 1), np.float32)
    tensors["heads.0.0.cell.betas"] = np.zeros((2, 10**6), np.float32)
    forge_module(path, structure, tensors)
    start = time.perf_counter()
    assert load_module(path).levels()[0].shape["factors"] == 10**6
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    ("name", "value"),
    [("letters", [1, 2]), ("letters", ["0", "0"]), ("letters", "01"), ("output_symbols", [[], []]),
     ("output_symbols", ["0", "a" * 5000]),
     ("kind", "nfa"), ("kind", []), ("empty_output", 2), ("empty_output", 0.0),
     ("empty_output", -1), ("empty_output", 10**400), ("empty_output", None)],
)  # fmt: skip
def test_a_module_of_other_names(module, name, value):
    path, structure, tensors = module
    forge_module(path, structure | {name: value}, tensors)
    refuse(path, "malformed: its", load_module)


@pytest.mark.skipif(importlib.util.find_spec("fla") is None, reason="needs the extra fla")
@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "serial"), ("mode", 0), ("target", "Mamba"), ("target", "__doc__"), ("heads", 2),
     ("heads", 0), ("readings", [[2, 2]]), ("readings", [[3, 1]]), ("rows", 10**9),
     ("factors", 10**12), ("tokens", 10**7), ("prefix", -1), ("d", 2)],
)  # fmt: skip
def test_a_module_of_flash_linear_attention_that_is_none(tmp_path, name, value):
    path = tmp_path / "m.safetensors"
    save_module(to_fla(compile_dfa("(0|10*1)*"), "GatedDeltaProduct"), path)
    with safe_open(path, framework="numpy") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        structure = json.loads(file.metadata()["structure"])
    structure["heads"][0][0][name] = value
    forge_module(path, structure, tensors)
    refuse(path, "malformed", lambda p: from_torch(load_module(p)))


def test_a_module_that_was_edited(module):
    path, structure, tensors = module
    forge_module(path, structure, tensors)
    assert load_module(path).letters == ("0", "1")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refuse(path, "changed", load_module)
    path.write_bytes(content[:100])
    refuse(path, "no whole safetensors file", load_module)
    save_file(tensors, path, {"format": "lrnn-theory module", "version": "9"})
    refuse(path, "version 9, expected 1", load_module)
    for structure in ([], 3, {"letters": 4}, {"target": "x"}):
        forge_module(path, structure, tensors)
        refuse(path, "malformed", load_module)
