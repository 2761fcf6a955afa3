"""The fast kernels compute what the plain ones do, bit for bit, in every arithmetic and order."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lrnn_theory import Dense, Householder, Layer
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import CompiledLayer
from lrnn_theory.formats import Float
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.scanning.kernels import make_kernel, runs_natively
from lrnn_theory.scanning.orders import ChunkKernel, TreeKernel
from lrnn_theory.scanning.rational import RationalKernel
from lrnn_theory.strategies import arithmetics, layers

CPU = torch.device("cpu")
NATIVE = ("float32", "tf32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2",
          "fixed8.4", "fixed8.0", "fixed12.10", "fixed16.-2", "float64")  # fmt: skip


def numbers(x):
    """States as floats; equal bits give equal lists, NaN as a text."""
    return [repr(float(v)) if v == v else "nan" for v in np.asarray(x).ravel().tolist()]


@settings(max_examples=300)
@given(st.data())
def test_the_float_kernel_is_the_rational_one(data):
    arithmetic = data.draw(arithmetics(NATIVE))
    layer = data.draw(layers(dense=not arithmetic.factored))
    assume(runs_natively(layer, arithmetic))
    fast, plain = FloatKernel(layer, arithmetic, CPU), RationalKernel(layer, arithmetic)
    h, x = fast.start(1), plain.start(1)
    for a in data.draw(st.lists(st.integers(0, layer.n_actions - 1), min_size=1, max_size=8)):
        h, x = fast.step(h, torch.tensor([a])), plain.step(x, np.array([a]))
        assert numbers(h) == numbers(x)
        assert fast.decode(h).tolist() == plain.decode(x).tolist()


@settings(max_examples=200)
@given(st.data())
def test_orders_agree_too(data):
    arithmetic = data.draw(arithmetics(NATIVE, orders=True))
    layer = data.draw(layers(max_n=3, dense=not arithmetic.factored))
    assume(runs_natively(layer, arithmetic))
    fast = FloatKernel(layer, arithmetic, CPU), RationalKernel(layer, arithmetic)
    for wrap in (lambda k: ChunkKernel(k, 3), *([] if arithmetic.factored else [TreeKernel])):
        kernels = [wrap(k) for k in fast]
        states = [k.start(2) for k in kernels]
        word = data.draw(st.lists(st.integers(0, layer.n_actions - 1), min_size=1, max_size=9))
        for a in word:
            pair = np.array([a, word[0]])
            states = [
                k.step(s, torch.from_numpy(pair) if i == 0 else pair)
                for i, (k, s) in enumerate(zip(kernels, states, strict=True))
            ]
            h, x = (k.observe(s) for k, s in zip(kernels, states, strict=True))
            assert numbers(h) == numbers(x)


def affine(kernel, maps, h):
    for p, s in maps:
        h = kernel.affine(p, h, s)
    return h


@settings(max_examples=150)
@given(st.data())
def test_orders_are_what_they_say(data):
    """Chunks and trees, written out as products of affine maps."""
    arithmetic = data.draw(arithmetics(("{-1,0,1}", "float8_e4m3", "fixed8.4", "bfloat16")))
    layer = data.draw(layers(max_n=2, dense=not arithmetic.factored))
    base = RationalKernel(layer, arithmetic)
    word = data.draw(st.lists(st.integers(0, layer.n_actions - 1), min_size=1, max_size=11))

    def letter(a):
        return base.matrices(np.array([a])), base.b[[a]]

    def chunk(actions):
        p, s = letter(actions[0])
        for a in actions[1:]:
            p = base.move(p, np.array([a]), None)
            s = base.move(s, np.array([a]), base.b[[a]])
        return p, s

    def block(actions):
        if len(actions) == 1:
            return letter(actions[0])
        (p, s), (q, r) = block(actions[: len(actions) // 2]), block(actions[len(actions) // 2 :])
        return base.affine(q, p, None), base.affine(q, s, r)

    chunked, tree = ChunkKernel(base, 4), TreeKernel(base)
    x, y = chunked.start(1), tree.start(1)
    for a in word:
        x = chunked.step(x, np.array([a]))
        y = tree.step(y, np.array([a]))
    start = base.start(1)
    chunks = [chunk(word[i : i + 4]) for i in range(0, len(word), 4)]
    assert numbers(chunked.observe(x)) == numbers(affine(base, chunks, start))
    if arithmetic.factored:
        return
    at, blocks = 0, []
    for size in (8, 4, 2, 1):
        if len(word) & size:
            blocks.append(block(word[at : at + size]))
            at += size
    assert numbers(tree.observe(y)) == numbers(affine(base, blocks, start))


@settings(max_examples=150)
@given(st.data())
def test_a_step_in_fractions(data):
    """The rational kernel against the documented formulas, written out once more."""
    arithmetic = data.draw(arithmetics())
    layer = data.draw(layers(max_d=1, dense=not arithmetic.factored))
    form, inner = arithmetic.format, arithmetic.inner
    kernel = RationalKernel(layer, arithmetic)
    h = kernel.start(1)
    assume(all(math.isfinite(x) for x in h.ravel()))
    a = data.draw(st.integers(0, layer.n_actions - 1))

    def r(x):
        return x if inner is None else inner.round(x)

    def stored(x):
        return form.round(x)

    def weight(x):
        return form.round(x) if isinstance(form, Float) else x

    before = [form.round(x) for x in layer.h0[:, 0].tolist()]

    def dot(weights, x):
        total = None
        for w, v in zip(weights, x, strict=True):
            if w != 0:
                w, v = exact(w), exact(v)
                if total is None:
                    total = r(w * v)
                else:
                    total = (
                        r(total + w * v) if arithmetic.fma else r(exact(total) + exact(r(w * v)))
                    )
                total = exact(total)
        return exact(0) if total is None else total

    class NotFiniteError(Exception):
        pass

    def exact(x):
        if isinstance(x, float) and not math.isfinite(x):
            raise NotFiniteError
        return Fraction(x)

    try:
        b = [exact(weight(x)) for x in layer.b[a, :, 0].tolist()]
        if arithmetic.factored and hasattr(layer.transition, "keys"):
            x = [exact(v) for v in before]
            rows = range(layer.transition.ptr[a], layer.transition.ptr[a + 1])
            for f in reversed(rows):
                k = [exact(weight(v)) for v in layer.transition.keys[f].tolist()]
                s = r(exact(weight(layer.transition.betas.tolist()[f])) * dot(k, x))
                for i, w in enumerate(k):
                    if w:
                        if inner is None:
                            x[i] = exact(stored(x[i] - w * s))
                        elif arithmetic.fma:
                            x[i] = exact(r(x[i] - w * exact(s)))
                        else:
                            x[i] = exact(r(x[i] - exact(r(w * exact(s)))))
            totals = x
        else:
            matrix = layer.transition.matrix(a).tolist()
            totals = [dot([weight(w) for w in row], before) for row in matrix]
        wanted = [stored(exact(r(t + v))) for t, v in zip(totals, b, strict=True)]
    except NotFiniteError:
        assume(False)
    assert numbers(kernel.step(h, np.array([a]))) == numbers(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("bfloat16:wide+acc=float32", 1), ("bfloat16:wide+acc=float64", 1 + 2**-7),
     ("bfloat16:wide+fma+acc=float32", 1), ("bfloat16:once", 1 + 2**-7), ("bfloat16:each", 1)],
)  # fmt: skip
def test_an_input_is_added_in_the_accumulator(text, wanted):
    """1 + 2^-8 is halfway between two numbers of bfloat16; float32 drops the 2^-40 added to it."""
    arithmetic, tiny = Arithmetic.parse(text), Fraction(1, 2**40)
    layer = Layer(
        Dense(np.array([[[1, 1], [0, 1]]])),
        b=np.array([[[tiny], [0]]], object),
        h0=np.array([[1], [Fraction(1, 2**8)]], object),
        codewords=(np.array([[[1], [1]]]),),
        readout=np.zeros((1, 1, 2), int),
        size=1,
        initial=0,
    )
    fast, plain = FloatKernel(layer, arithmetic, CPU), RationalKernel(layer, arithmetic)
    assert fast.step(fast.start(1), torch.tensor([0]))[0, 0, 0].item() == wanted
    assert plain.step(plain.start(1), np.array([0]))[0, 0, 0] == wanted


def factored(keys, betas, ptr, h0):
    """A layer of Householder factors of the plane."""
    actions = len(ptr) - 1
    return Layer(
        Householder(np.array(keys, object).reshape(-1, 2), np.array(betas, object), np.array(ptr)),
        b=np.zeros((actions, 2, 1), int),
        h0=np.array(h0, object).reshape(2, 1),
        codewords=(np.zeros((1, 2, 1), int),),
        readout=np.zeros((actions, 1, 2), int),
        size=1,
        initial=0,
    )


U = Fraction(1, 2**23)


@pytest.mark.parametrize(
    ("text", "keys", "betas", "ptr", "h0", "wanted"),
    [
        # Less than half a step by 2^-70, which a product rounded to double beside x would lose.
        ("float32:each+fma+factored", [[1 + U, 1]], [Fraction(1, 2**25)], [0, 1], [1 + U, -3],
         [1 + 2.0**-23, -3.0]),
        # The second key is shorter than the longest: its padding meets no infinity.
        ("float16:each+factored", [[0, 1], [1, 0], [1, 1]], [1, 4, 1], [0, 2, 3], [65504, 5],
         [-math.inf, 0.0]),
        ("float16:each+fma+factored", [[0, 1], [1, 0], [1, 1]], [1, 4, 1], [0, 2, 3], [65504, 5],
         [-math.inf, 0.0]),
    ],
)  # fmt: skip
def test_a_product_of_factors(text, keys, betas, ptr, h0, wanted):
    arithmetic, layer = Arithmetic.parse(text), factored(keys, betas, ptr, h0)
    fast, plain = FloatKernel(layer, arithmetic, CPU), RationalKernel(layer, arithmetic)
    compiled = CompiledLayer(layer, arithmetic)
    assert numbers(fast.step(fast.start(1), torch.tensor([0]))) == numbers(wanted)
    assert numbers(plain.step(plain.start(1), np.array([0]))) == numbers(wanted)
    assert numbers(compiled.run(compiled.start(), [0])) == numbers(wanted)


@pytest.mark.parametrize("first", [1, 2, 3])
def test_factors_are_appended(first):
    """Actions of one short key, of a longer one, of none, and of both."""
    keys, betas, ptr = [[1, 0], [1, 1], [1, 0], [1, 1]], [2, 1, 1, 2], [0, 1, 2, 2, 4]
    arithmetic, cut = Arithmetic.parse("float32:each+factored"), ptr[first]
    whole = FloatKernel(factored(keys, betas, ptr, [3, 5]), arithmetic, CPU)
    grown = FloatKernel(
        factored(keys[:cut], betas[:cut], ptr[: first + 1], [3, 5]), arithmetic, CPU
    )
    grown.extend(factored(keys[cut:], betas[cut:], [x - cut for x in ptr[first:]], [3, 5]))
    every = torch.arange(4)
    assert torch.equal(grown.step(grown.start(4), every), whole.step(whole.start(4), every))


@given(st.data())
@example(None)
def test_cast_is_the_sum_of_casts(data):
    if data is None:
        return
    form = data.draw(st.sampled_from(["{-1,0,1}", "{0,1,4}", "{1,2}", "float8_e5m2", "fixed8.1"]))
    arithmetic = Arithmetic.parse(f"{form}:cast")
    layer = data.draw(layers(max_n=2))
    cast = np.vectorize(arithmetic.format.cast, otypes=[object])
    kernel = make_kernel(layer, arithmetic, CPU)
    word = data.draw(st.lists(st.integers(0, layer.n_actions - 1), max_size=5))
    state = kernel.start(1)
    for a in word:
        state = kernel.step(state, np.array([a]))
    terms = [layer.h0.astype(object)]
    for a in word:
        matrix = layer.transition.matrix(a).astype(object)
        terms = [matrix @ t for t in terms] + [layer.b[a].astype(object)]
    total = sum(cast(t) for t in terms)
    assert numbers(kernel.seen(state[0, 0, 0])) == numbers(cast(total))


@pytest.mark.parametrize(
    ("text", "matrices", "inputs", "h0", "word", "wanted"),
    [
        ("fixed8.0:cast", [[[1, 0], [0, 1]], [[1, 0], [0, 0]]], [[1, 0], [0, 0]], [1, 1], [0, 1],
         [2, 0]),  # different terms meet
        ("fixed8.0:cast", [[[0, 0], [0, 0]]], [[0, 0]], [1, 1], [0], [0, 0]),  # none is left
        ("{1,2,3,4}:cast", [[[1, 1], [0, 1]]], [[0, 0]], [0, 0], [0, 0], [3, 3]),  # zeros count
    ],
)  # fmt: skip
def test_terms_of_a_cast_are_counted(text, matrices, inputs, h0, word, wanted):
    actions = len(matrices)
    layer = Layer(
        Dense(np.array(matrices)),
        b=np.array(inputs).reshape(actions, 2, 1),
        h0=np.array(h0).reshape(2, 1),
        codewords=(np.zeros((1, 2, 1), int),),
        readout=np.zeros((actions, 1, 2), int),
        size=1,
        initial=0,
    )
    kernel = make_kernel(layer, Arithmetic.parse(text), CPU)
    state = kernel.start(1)
    for a in word:
        state = kernel.step(state, np.array([a]))
    assert numbers(kernel.seen(state[0, 0, 0])) == numbers(wanted)
