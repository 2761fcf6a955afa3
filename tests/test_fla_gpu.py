"""Compiled machines in flash-linear-attention's kernels and layers on a GPU: 1,000 words of 1,000.

The table goes where LRNN_FLA_EXPORT names a file without its ending, as JSON and Markdown.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "fla_export.py"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.skipif(
    importlib.util.find_spec("fla") is None, reason="needs the extra fla (flash-linear-attention)"
)
def test_all_machines_in_all_kernels_and_layers(tmp_path):
    path = os.environ.get("LRNN_FLA_EXPORT", str(tmp_path / "fla-export"))
    command = [sys.executable, str(BENCHMARK), "--write", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout + done.stderr)
    runs = json.loads(Path(f"{path}.json").read_text())["runs"]
    exact = [r for r in runs if r.get("exact", True)]  # also what failed
    assert [r for r in exact if r["verdict"] != "agrees"] == []
    naive = [r for r in runs if r["machine"] == "S5" and r["run"] == "chunk_delta_rule, unit"]
    assert {r["verdict"] for r in naive} == {"differs"}
    for configuration in ("first", "last"):
        done = {
            (r["machine"], r["run"], r["dtype"])
            for r in runs
            if r["configuration"] == configuration
        }
        assert len(done) == 9 * 19, f"with the {configuration} configuration only {len(done)} runs"
