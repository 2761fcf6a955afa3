"""What GAP says of random transition monoids and of all small groups.

`gap_monoids.json` is the oracle of tests/test_green.py, `gap_groups.json` that of
tests/test_group_names.py; the tests read them and need no GAP.  GAP and its package
Semigroups are free software under the GPL; nothing of them is part of this project.  To make the
vectors again, install `passagemath-gap` and `passagemath-gap-pkg-semigroups` (10.8.13, GAP 4.16.1)
in an environment of their own, and give the folder that holds `gap`, `lib` and `pkg`:

    python tests/oracles/make_gap_vectors.py .../site-packages/gap

Machine number i is drawn from `numpy.random.default_rng(i)`.  Those whose monoids have more than
`MAX_SIZE` elements are left out, and those like `MAX_ALIKE` machines before them.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

COUNT, MAX_SIZE, MAX_ALIKE, MAX_ORDER = 500, 20_000, 3, 60
HERE = Path(__file__).parent

START = """
LoadPackage("semigroups");; LoadPackage("smallgrp");;
SetPrintFormattingStatus("*stdout*", false);
"""

MONOIDS = """
for letters in MACHINES do
  S := Monoid(List(letters, Transformation));
  Print("[", Size(S));
  if Size(S) <= MAX_SIZE then
    Print(",", NrIdempotents(S), ",[", NrRClasses(S), ",", NrLClasses(S), ",", NrHClasses(S), ",",
      NrDClasses(S), ",", NrRegularDClasses(S), "],", Size(MinimalIdeal(S)), ",",
      IsGroupAsSemigroup(S), ",", IsAperiodicSemigroup(S), ",", IsCommutativeSemigroup(S), ",[");
    separator := "";
    for D in DClasses(S) do
      Print(separator, "[", Size(D), ",", NrRClasses(D), ",", NrLClasses(D));
      separator := ",";
      if IsRegularDClass(D) then
        G := Image(IsomorphismPermGroup(GroupHClass(D)));
        Print(",[", Size(G), ",");
        if SMALL_AVAILABLE(Size(G)) = fail then Print("null"); else Print(IdSmallGroup(G)[2]); fi;
        Print(",", IsAbelian(G), ",", IsSolvable(G), ",");
        if IsSolvable(G) then Print(DerivedLength(G)); else Print("null"); fi;
        Print(",\\"", StructureDescription(G), "\\"]");
      fi;
      Print("]");
    od;
    Print("]");
  fi;
  Print("]\\n");
od;
QUIT_GAP(0);
"""

# All groups of small order, as permutations; and which of them the named ones and products are.
GROUPS = """
PrintId := function(G) Print(Size(G), ",", IdSmallGroup(G)[2]); end;
for n in [1..MAX_ORDER] do
  for G in AllSmallGroups(n) do
    H := Image(IsomorphismPermGroup(G));
    H := Image(SmallerDegreePermutationRepresentation(H));
    Print("[\\"group\\",", n, ",", IdSmallGroup(G)[2], ",\\"", StructureDescription(G), "\\",",
      List(SmallGeneratingSet(H), g -> ListPerm(g, Maximum(1, LargestMovedPoint(H)))), "]\\n");
  od;
od;
PrintNamed := function(name, G)
  if Size(G) <= MAX_ORDER then
    Print("[\\"name\\",\\"", name, "\\","); PrintId(G); Print("]\\n");
  fi;
end;
Frobenius := function(p, k) # x -> a x + b modulo p, with a of order k
  local a;
  a := PowerModInt(PrimitiveRootMod(p), (p - 1) / k, p);
  return Group(PermList(List([1..p], x -> x mod p + 1)),
    PermList(List([0..p-1], x -> (a * x) mod p + 1)));
end;
for n in [1..MAX_ORDER] do PrintNamed(Concatenation("Z", String(n)), CyclicGroup(n)); od;
for n in [4..MAX_ORDER/2] do PrintNamed(Concatenation("D", String(n)), DihedralGroup(2 * n)); od;
for n in [2..MAX_ORDER/4] do
  if n in [2, 4, 8] then PrintNamed(Concatenation("Q", String(4 * n)), DicyclicGroup(4 * n));
  else PrintNamed(Concatenation("Dic", String(n)), DicyclicGroup(4 * n)); fi;
od;
for n in [3..5] do PrintNamed(Concatenation("S", String(n)), SymmetricGroup(n)); od;
for n in [4..5] do PrintNamed(Concatenation("A", String(n)), AlternatingGroup(n)); od;
for p in Filtered([5..MAX_ORDER], IsPrimeInt) do
  for k in Filtered(DivisorsInt(p - 1), k -> k > 2) do
    PrintNamed(Concatenation("Z", String(p), ":Z", String(k)), Frobenius(p, k));
  od;
od;
PrintNamed("SL(2, 3)", SL(2, 3));
for n in [2..MAX_ORDER/2] do for m in [n..Int(MAX_ORDER/n)] do
  for G in AllSmallGroups(n) do for H in AllSmallGroups(m) do
    Print("[\\"product\\","); PrintId(G); Print(","); PrintId(H); Print(",");
    PrintId(DirectProduct(G, H)); Print("]\\n");
  od; od;
od; od;
QUIT_GAP(0);
"""


def machine(seed: int) -> list[list[int]]:
    """The letters of a random machine, one of eight kinds, as maps of 0, ..., n-1."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice(range(2, 8), p=[0.05, 0.1, 0.15, 0.2, 0.25, 0.25]))
    k = int(rng.choice([1, 2, 3], p=[0.1, 0.45, 0.45]))
    kind = seed % 8
    letters = rng.integers(n, size=(k, n))
    if kind in (1, 2, 3):  # permutations; with one that is not; and a sink below partial ones
        points = n - (kind == 3)
        letters[:, :points] = [rng.permutation(points) for _ in range(k)]
        letters[:, points:] = points
    if kind == 2:
        letters[0, int(rng.integers(n))] = rng.integers(n)
    elif kind == 3:
        letters[rng.random((k, n)) < 0.3] = n - 1
    elif kind == 4:  # maps that keep the order
        letters.sort(axis=1)
    elif kind == 5:  # never backwards
        letters = np.maximum(letters, np.arange(n))
    elif kind == 6:  # products of random permutations and one idempotent of rank n - 1
        letters[:] = [rng.permutation(n) for _ in range(k)]
        letters[-1] = np.where(np.arange(n) == letters[-1, 0], letters[-1, 1], np.arange(n))
    elif kind == 7:  # maps on blocks of two states, which may be swapped
        half = max(1, n // 2)
        n = 2 * half
        block = rng.integers(half, size=(k, half))
        swap = rng.integers(2, size=(k, half))
        letters = np.stack([2 * block + swap, 2 * block + 1 - swap], axis=2).reshape(k, n)
    return letters.tolist()


def ask_gap(root: str, program: str, **values: object) -> list[list]:
    """The lists that a program prints, one a line, after `values` have been assigned."""
    given = "".join(f"{name} := {value};;\n" for name, value in values.items())
    command = [str(Path(root) / "gap"), "-l", root, "-A", "-q"]
    text = START + given + program
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("[")]


def write(name: str, **parts: object) -> None:
    """A JSON object whose lists have one item a line."""
    texts = []
    for key, part in parts.items():
        items = part if isinstance(part, list) else None
        lines = [json.dumps(x, separators=(",", ":")) for x in items or []]
        text = "[\n" + ",\n".join(lines) + "\n]" if items else json.dumps(part)
        texts.append(f"{json.dumps(key)}: {text}")
    (HERE / name).write_text("{" + ",\n".join(texts) + "}\n")


def write_monoids(root: str) -> None:
    """A table of groups, and for every machine what GAP said."""
    drawn = [machine(seed) for seed in range(3 * COUNT)]
    one_based = [[[q + 1 for q in row] for row in letters] for letters in drawn]
    answers = ask_gap(root, MONOIDS, MACHINES=one_based, MAX_SIZE=MAX_SIZE)
    groups: dict[str, int] = {}
    machines = []
    alike: Counter[str] = Counter()
    for letters, answer in zip(drawn, answers, strict=True):
        alike[str(answer)] += 1
        if len(answer) == 1 or alike[str(answer)] > MAX_ALIKE or len(machines) == COUNT:
            continue
        *facts, classes = answer
        boxes = Counter(
            (*d[:3], groups.setdefault(json.dumps(d[3]), len(groups)) if len(d) > 3 else -1)
            for d in classes
        )
        counted = [[*box, count] for box, count in sorted(boxes.items())]
        machines.append([["".join(map(str, row)) for row in letters], *facts, counted])
    if len(machines) < COUNT:
        raise SystemExit(f"Only {len(machines)} monoids are small and different enough.")
    fields = {
        "groups": ["order", "number in the SmallGroups library", "abelian", "solvable",
                   "derived length", "structure"],
        "machines": ["letters", "size", "idempotents", "R, L, H, D and regular D-classes",
                     "size of the minimal ideal", "group", "aperiodic", "commutative",
                     "D-classes: size, R-classes, L-classes, group (-1: not regular), how many"],
    }  # fmt: skip
    known = [json.loads(group) for group in groups]
    write("gap_monoids.json", fields=fields, groups=known, machines=machines)


def write_groups(root: str) -> None:
    """All groups of small order, and which of them have a name or are products."""
    answers = ask_gap(root, GROUPS, MAX_ORDER=MAX_ORDER)
    kinds = {
        kind: [a[1:] for a in answers if a[0] == kind] for kind in ("group", "name", "product")
    }
    fields = {
        "groups": ["order", "number in the SmallGroups library", "structure", "generators"],
        "names": ["name", "order", "number"],
        "products": ["order", "number", "order", "number", "order and", "number of the product"],
    }
    write(
        "gap_groups.json",
        fields=fields,
        groups=kinds["group"],
        names=kinds["name"],
        products=kinds["product"],
    )


if __name__ == "__main__":
    write_monoids(sys.argv[1])
    write_groups(sys.argv[1])
