"""`lrnn theorems`: the catalogue, one entry, checks, failures, and what Ctrl-C leaves."""

import json

import pytest
from command_line import lrnn

from constructions.theorems import ALL, THEOREMS, budget
from lrnn_theory import householder

QUICK = ("norm", "rank_bound", "copy_matrices")


def check(*arguments):
    return lrnn("theorems", "check", *arguments, "--workers", 1)


def test_list():
    ran = lrnn("theorems")
    assert ran.code == 0
    assert all(f"  {t.key} " in ran.out and t.status in ran.out for t in ALL)
    facts = lrnn("theorems", "--json").data()["theorems"]
    assert [f["key"] for f in facts] == [t.key for t in ALL]
    assert {f["part"] for f in facts} >= {"constructions", "cascades"}


def test_one():
    ran = lrnn("theorems", "unary_lemma")
    assert ran.code == 0
    for row in ("theorem", "statement", "assumes", "precision", "status", "source", "page"):
        assert f"\n{row}" in f"\n{ran.out}"
    assert lrnn("theorems", "unary_lemma", "--json").data()["hard"] == list(
        THEOREMS["unary_lemma"].hard
    )


def test_check_within_a_budget():
    ran = check(*QUICK, "--budget", "1s")
    assert ran.code == 0, ran.out
    assert all(f"{key} " in ran.out for key in QUICK)
    assert "3 theorems, " in ran.out
    assert ran.out.rstrip().endswith("all passed")
    facts = check("norm", "nonsolvable_is_hard", "--budget", "0.2s", "--json").data()
    assert (facts["passed"], facts["interrupted"]) == (True, False)
    norm, conditional = facts["theorems"]
    assert norm["outcome"] == "holds"
    assert norm["tried"] >= 1
    assert norm["worst"]["case"]
    assert (conditional["outcome"], conditional["status"]) == ("conditional", "conditional")


def test_more_workers_find_the_same():
    alone = check("norm", "--instances", 30, "--json").data()
    both = lrnn("theorems", "check", "norm", "--instances", 30, "--workers", 2, "--json").data()
    assert alone["theorems"] == both["theorems"]


def test_a_failure_is_loud_and_can_be_repeated(monkeypatch):
    monkeypatch.setattr(householder, "reflection_length", lambda _: 7)
    ran = check(*QUICK, "--instances", 5)
    assert ran.code == 1
    assert "FAILED" in ran.out
    assert "5 of 5: reflection_length is not rank(I - A)" in ran.out
    assert "rank_bound did not pass" in ran.out
    assert "(again: lrnn theorems check rank_bound --seed 0 --instance 0)" in ran.out
    assert check("rank_bound", "--instance", 0).code == 1
    assert check("norm", "--instance", 2).code == 0  # outside of the hypotheses
    facts = check("rank_bound", "--budget", "0.1s", "--json").data()
    assert not facts["passed"]
    assert facts["theorems"][0]["failures"][0]["fault"] == "reflection_length is not rank(I - A)"


def test_a_theorem_of_which_nothing_was_tried_does_not_pass(monkeypatch):
    everything_outside = ["it is not met"]
    theorem = THEOREMS["norm"]
    monkeypatch.setattr(type(theorem), "obstacles", lambda *_: everything_outside)
    first_random = len(theorem.hard) + len(theorem.outside)
    report = theorem.check(None, first=first_random, instances=3)
    assert (report.passed, report.outcome, report.outside) == (False, "not tried", 3)


def test_results_go_to_a_file_that_is_gone_on_with(tmp_path):
    path = tmp_path / "results.jsonl"
    first = check(*QUICK, "--instances", 8, "-o", path, "--json").data()
    whole = path.read_bytes()
    assert whole.count(b"\n") == 25
    record = json.loads(whole.splitlines()[1])
    assert (record["check"], record["index"], record["outcome"]) == ("norm", 0, "holds")
    path.write_bytes(whole[: len(whole) // 2])
    again = check(*QUICK, "--instances", 8, "-o", path, "--json").data()
    assert path.read_bytes() == whole
    assert again["theorems"] == first["theorems"]
    assert "with other checks" in check("norm", "--instances", 8, "-o", path).err


def test_ctrl_c_keeps_what_was_done(monkeypatch, tmp_path):
    tried = []

    def interrupted(*call):
        if len(tried) == 4:
            raise KeyboardInterrupt
        tried.append(call)
        return THEOREMS[call[0]].check(0.0, first=call[3])

    monkeypatch.setattr(budget, "check_slice", interrupted)
    ran = check(*QUICK, "--budget", "1h", "--json")
    assert ran.code == 130
    facts = json.loads(ran.out)
    assert facts["interrupted"]
    assert [t["tried"] for t in facts["theorems"]] == [2, 1, 1]
    monkeypatch.setattr(type(THEOREMS["norm"]), "trial", interrupt)
    ran = check("norm", "--instances", 9, "-o", tmp_path / "results.jsonl")
    assert ran.code == 130
    assert "run the same again to go on" in ran.err


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nrom"], "There is no theorem 'nrom'; did you mean 'norm'?"),
        (["check", "xyzzy"], "There is no theorem 'xyzzy'; `lrnn theorems` lists them"),
        (["norm", "cyclic"], "One theorem is shown at a time, not 2."),
        (["norm", "--budget", "5s"], "Option '--budget' needs `lrnn theorems check`."),
        (["check", "--budget", "soon"], "expected a time such as 60s, 2m or 1.5h, not 'soon'."),
        (["check", "--budget", "0"], "expected a time such as 60s, 2m or 1.5h, not '0'."),
        (["check", "--budget", "5s", "--instances", "3"], "exclude each other."),
        (["check", "-o", "x.jsonl"], "Option '--output' needs '--instances'."),
        (["check", "--instance", "3"], "Option '--instance' needs one theorem."),
        (["check", "norm", "--executor", "pigeons", "--budget", "1s"], "'dask://HOST:PORT', not"),
    ],
)  # fmt: skip
def test_misuse(arguments, message):
    ran = lrnn("theorems", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert ran.out == ""
