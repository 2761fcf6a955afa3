"""Files that were changed at random, read: a value or one line, soon, in little memory.

    python benchmarks/fuzz_files.py [--seconds 600] [--seed 0] [--write]

Weight files, layers after the template, exported modules (those of flash-linear-attention too) and
folders of Hugging Face, with random changes of bytes, of the JSON in their headers and of their
tensors; where there is a digest, it is made to fit in most cases, so that what follows it is
reached.  A reader may raise a ValueError of one line, or return something that answers a word and
comes back as an LRNN.  Anything else is reported: another error, more than 10 seconds, or more
memory than 200 times the file and 50 MB (as tracemalloc sees it, which is every array of numpy and
object of Python); the process as a whole gets 2 GB more than it takes before the first file, which
torch's tensors count for.
"""

import argparse
import copy
import json
import random
import resource
import signal
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save, save_file

from constructions import compile_dfa
from lrnn_theory import LRNN, languages, scan, storage
from lrnn_theory.export import (
    from_huggingface,
    from_torch,
    load_module,
    modulefile,
    save_module,
    to_fla,
    to_huggingface,
)

HERE = Path(__file__).parent
SECONDS = 10
"""Longest time for one file."""
ROOM = 2 << 30
"""Bytes of address space that all files together may add."""
TARGETS = ("fused_recurrent_delta_rule", "GatedDeltaNet", "GatedDeltaProduct")
EXTREME = [
    0, -1, 1, 2, 0.5, 10**6, 2**31 - 1, 2**31, 2**63 - 1, 10**30, -(10**30), 10**400, float("nan"),
    float("inf"), True, None, "", "x", "z7^1", "1/0", [], {}, [[]], [0] * 50, "a" * 5000,
]  # fmt: skip


def seeds(folder):
    """Valid files: name, kind."""
    machines = {
        "parity": (languages.parity(), None),
        "rotation": (languages.mod(5), "rotation"),
        "date": (languages.regex("iso_date"), None),
        "tls": (languages.protocol("tls"), None),
        "heads": (languages.mod(60), "cyclic"),
        "shift": (languages.flip_flop(), "input_shift"),
        "dense": (languages.tomita(4), "dense"),
    }
    for name, (automaton, construction) in machines.items():
        lrnn = compile_dfa(automaton, construction)
        lrnn.save(folder / f"{name}.safetensors")
        yield folder / f"{name}.safetensors", "weights"
        if name in ("parity", "date", "shift"):
            save_module(lrnn.to_torch(), folder / f"{name}-module.safetensors")
            yield folder / f"{name}-module.safetensors", "module"
            for target in TARGETS:
                save_module(to_fla(lrnn, target), folder / f"{name}-{target}.safetensors")
                yield folder / f"{name}-{target}.safetensors", "fla module"
            to_huggingface(lrnn, folder / name)
            yield folder / name, "huggingface"
    layer = {
        "keys": np.array([[[1.0, -1.0]], [[0.0, 0.0]]], np.float16),
        "betas": np.ones((2, 1), np.float32),
        "initial": np.array([1.0, 0.0]),
        "codewords": np.eye(2, dtype=np.int8),
        "outputs": np.array([1, 0]),
        "inputs": np.zeros((2, 2), np.int64),
    }
    save_file(layer, folder / "layer.safetensors", {"letters": '["1", "0"]', "kind": "dfa"})
    yield folder / "layer.safetensors", "template"


def places(data, path=()):
    """All places in a JSON value."""
    yield path
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        yield from places(value, (*path, key))


def spoil_json(rng, data):
    """One value of a JSON value replaced, removed or doubled."""
    data = copy.deepcopy(data)
    path = rng.choice([p for p in places(data) if p] or [()])
    if not path:
        return rng.choice(EXTREME)
    parent = data
    for key in path[:-1]:
        parent = parent[key]
    action = rng.random()
    if action < 0.15 and isinstance(parent, dict):
        del parent[path[-1]]
    elif action < 0.3 and isinstance(parent, list):
        parent.extend(copy.deepcopy(parent) * rng.choice([1, 10]))
    elif action < 0.5 and isinstance(parent[path[-1]], int):
        parent[path[-1]] += rng.choice([-1, 1, 7])
    else:
        parent[path[-1]] = copy.deepcopy(rng.choice(EXTREME))
    return data


def spoil_tensors(rng, tensors):
    """One tensor changed, reshaped, retyped, removed or added."""
    tensors = dict(tensors)
    name = rng.choice(list(tensors))
    array = tensors[name].copy()
    action = rng.randrange(7)
    if action == 0:
        del tensors[name]
        return tensors
    if action == 1:
        tensors[name + rng.choice(["x", ".exact", ".shape"])] = array
        return tensors
    if action == 2 and array.size:
        flat = array.reshape(-1)
        values = [-1, 0, 1, 127, 2**31 - 1, -(2**31), 2**62]
        with np.errstate(all="ignore"):
            flat[rng.randrange(array.size)] = np.array(rng.choice(values)).astype(array.dtype)
    elif action == 3:
        array = array.reshape(-1)
    elif action == 4:
        array = array.astype(rng.choice([np.int8, np.float32, np.uint64, np.bool_, np.float64]))
    elif action == 5:
        array = np.concatenate([array, array]) if array.ndim else array[None]
    elif array.size:
        raw = bytearray(array.tobytes())
        raw[rng.randrange(len(raw))] = rng.randrange(256)
        array = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)
    tensors[name] = np.ascontiguousarray(array)
    return tensors


def spoil_bytes(rng, content):
    """Some bytes near the beginning changed, and at times the end cut off."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 4, 50])):
        content[rng.randrange(min(len(content), 3000))] = rng.randrange(256)
    cut = rng.randrange(len(content)) if rng.random() < 0.2 else len(content)
    return bytes(content[:cut])


def spoil_folder(rng, folder):
    """The bytes of the config and of the weights of a changed model of Hugging Face."""
    config, weights = folder / "config.json", folder / "model.safetensors"
    texts, contents = config.read_bytes(), weights.read_bytes()
    for _ in range(rng.choice([1, 1, 2])):
        if rng.random() < 0.2:
            texts = spoil_bytes(rng, texts)
        elif rng.random() < 0.5:
            changed = json.loads(texts)
            changed["structure"] = spoil_json(rng, changed["structure"])
            texts = json.dumps(changed).encode()
        else:
            with safe_open(weights, framework="numpy") as file:
                tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
                contents = save(spoil_tensors(rng, tensors), file.metadata())
    return texts, contents


def spoil(rng, path, kind):
    """The bytes of a changed file."""
    if rng.random() < 0.25:
        return spoil_bytes(rng, path.read_bytes())
    with safe_open(path, framework="numpy") as file:
        metadata = dict(file.metadata())
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    field = {"weights": "header", "template": "letters"}.get(kind, "structure")
    for _ in range(rng.choice([1, 1, 2, 5])):
        if rng.random() < 0.5 and tensors:
            tensors = spoil_tensors(rng, tensors)
        else:
            metadata[field] = json.dumps(spoil_json(rng, json.loads(metadata[field])))
    if rng.random() < 0.9 and kind == "weights":
        metadata["digest"] = storage._digest(metadata["header"], tensors)
    if rng.random() < 0.9 and field == "structure":
        stored = {k: torch.from_numpy(v) for k, v in tensors.items()}
        metadata["digest"] = modulefile._digest(metadata["structure"], stored)
    return save(tensors, metadata)


def late(*_):
    """What an alarm does."""
    raise TimeoutError(f"took more than {SECONDS} s")


def read(path, kind, measured):
    """What reading a file comes to: "read", "refused", or a complaint."""
    signal.alarm(SECONDS)
    if measured:
        tracemalloc.start()
    try:
        outcome = "read"
        if kind in ("weights", "template"):
            lrnn = LRNN.load(path)
        else:
            module = from_huggingface(path).network if path.is_dir() else load_module(path)
            if kind != "fla module":  # whose kernels want a GPU
                module(torch.tensor([[0, len(module.letters) - 1]]))
            lrnn = from_torch(module)
        scan(lrnn, [[0, len(lrnn.letters) - 1]], "float32")
    except ValueError as error:
        text = str(error)
        outcome = "refused" if "\n" not in text and len(text) < 3000 else f"long: {text[:200]!r}"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.alarm(0)
        peak = tracemalloc.get_traced_memory()[1] if measured else 0
        tracemalloc.stop()
    size = sum(p.stat().st_size for p in (path.iterdir() if path.is_dir() else [path]))
    if peak > 200 * size + 50_000_000:
        return f"{peak} bytes for a file of {size}"
    return outcome


def main():
    """Fuzz for some time; exit code 1 if a file was neither read nor refused as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write benchmarks/fuzz-files.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = random.Random(arguments.seed)
    counts, complaints = Counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        valid = list(seeds(folder))
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # imports are not the fault of a file
        for path, kind in valid:
            assert (outcome := read(path, kind, False)) == "read", (path, kind, outcome)
        signal.signal(signal.SIGALRM, late)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
        end = time.monotonic() + arguments.seconds
        while time.monotonic() < end:
            path, kind = rng.choice(valid)
            spoilt = folder / f"spoilt-{kind}"
            try:
                if kind == "huggingface":
                    spoilt.mkdir(exist_ok=True)
                    config, weights = spoil_folder(rng, path)
                    (spoilt / "config.json").write_bytes(config)
                    (spoilt / "model.safetensors").write_bytes(weights)
                else:
                    spoilt.write_bytes(spoil(rng, path, kind))
            except (ValueError, OverflowError, TypeError):
                continue  # a change that no file can hold
            outcome = read(spoilt, kind, rng.random() < 0.3)
            counts[kind, outcome if outcome in ("read", "refused") else "wrong"] += 1
            if outcome not in ("read", "refused"):
                complaints.append(f"{kind}: {outcome}")
                print(f"{kind} from {path.name}: {outcome}", flush=True)
    results = {
        "command": " ".join(["python", "benchmarks/fuzz_files.py", *sys.argv[1:]]),
        "seconds": arguments.seconds,
        "seed": arguments.seed,
        "files": {f"{kind}, {outcome}": n for (kind, outcome), n in sorted(counts.items())},
        "wrong": sorted(set(complaints)),
    }
    print(json.dumps(results, indent=1))
    if arguments.write:
        (HERE / "fuzz-files.json").write_text(json.dumps(results, indent=1) + "\n")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
