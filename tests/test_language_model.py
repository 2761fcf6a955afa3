"""The language models' benchmark: its text, its windows, its losses, its spikes."""

import runpy
from pathlib import Path

import pytest
import torch

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "language_model.py"


@pytest.fixture(scope="module")
def benchmark() -> dict:
    return runpy.run_path(str(BENCHMARK))


def test_corpus(benchmark: dict) -> None:
    texts, facts = benchmark["corpus"]()
    sizes = {part: len(text) for part, text in texts.items()}
    assert sizes == {part: facts[part] for part in sizes}
    assert 0.02 < sizes["validation"] / sum(sizes.values()) < 0.3
    files = {part: set(bytes(text.numpy()).split(b"\0")) for part, text in texts.items()}
    assert files["training"].isdisjoint(files["validation"] - {b""})
    assert Path(torch.__file__).read_bytes() not in files["training"] | files["validation"]
    assert Path(runpy.__file__).read_bytes() in files["training"] | files["validation"]
    assert benchmark["corpus"]()[1] == facts


def test_windows(benchmark: dict) -> None:
    text = torch.arange(200, dtype=torch.uint8)
    task = benchmark["task_of"](text, 9)
    tokens, labels = task.sample(500, task.train, torch.Generator().manual_seed(0))
    assert tokens.shape == labels.shape == (500, 9)
    assert torch.equal(labels, tokens + 1)
    assert torch.equal(tokens, tokens[:, :1] + torch.arange(9))
    assert tokens[:, 0].unique().numel() > 150


@pytest.mark.parametrize("windows", [None, 4])
def test_losses(benchmark: dict, windows: int | None) -> None:
    """A model that knows all but every fifth byte, for which it takes any to be as likely."""

    def model(tokens: torch.Tensor) -> torch.Tensor:
        following = (tokens + 1) % 256
        scores = 50.0 * torch.nn.functional.one_hot(following, 256).float()
        return scores * (following % 5 != 0)[..., None]

    text = (torch.arange(101) % 256).to(torch.uint8)
    found = benchmark["losses"](model, text, 5, windows=windows, at_once=3)
    expected = torch.zeros(5, dtype=torch.float64)
    expected[4] = torch.tensor(256.0).log()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_spikes(benchmark: dict) -> None:
    spikes = benchmark["spikes"]
    calm = [2 + 0.01 * (i % 7) - 0.001 * i for i in range(300)]
    assert spikes(calm, 30) == 0
    torn = list(calm)
    torn[200] += 0.5
    torn[20] += 5.0  # within the warm-up
    assert spikes(torn, 30) == 1
    assert spikes([*calm, float("nan")], 30) == 1
