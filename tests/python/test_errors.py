"""Mistakes: the class, and a text that names the operation, the shapes, the line."""

import builtins
import contextlib
import inspect

import pytest

import gt


@pytest.mark.parametrize(
    "f,error,words",
    [
        (lambda: gt.ones(2, 3) + gt.ones(4), gt.ShapeError, ("add", "(2, 3)", "(4,)")),
        (lambda: gt.ones(2, 3) @ gt.ones(2, 3), gt.ShapeError, ("matmul", "(2, 3)")),
        (lambda: gt.ones(2, 3).reshape(4, 2), gt.ShapeError, ("reshape", "(2, 3)", "4")),
        (lambda: gt.ones(2).sum(1), gt.GTError, ("sum", "1")),
        (lambda: gt.ones(2, 3).permute(0, 0), gt.GTError, ("permute",)),
        (
            lambda: gt.cat([gt.ones(2, 3), gt.ones(2, 4)]),
            gt.ShapeError,
            ("cat", "(2, 3)", "(2, 4)"),
        ),
        (lambda: gt.ones(2, 3).expand(3, 3), gt.ShapeError, ("expand", "(2, 3)")),
        (lambda: gt.ones(2, dtype=gt.int64).mean(), gt.DtypeError, ("mean", "int64")),
        (lambda: gt.ones(3)[5], gt.errors.IndexError, ("5", "3")),
        (lambda: gt.where(gt.ones(2), 1, 2), gt.DtypeError, ("where", "float32")),
        (lambda: gt.zeros(0).max(), gt.GTError, ("max",)),
        (lambda: ~gt.ones(2), gt.DtypeError, ("not", "float32")),
        (lambda: gt.ones(2) & gt.ones(2), gt.DtypeError, ("and", "float32")),
        (lambda: gt.linear(gt.ones(2, 3), gt.ones(5, 4)), gt.ShapeError, ("matmul", "3", "4")),
        (lambda: gt.one_hot(gt.tensor([1.5]), 3), gt.DtypeError, ("one_hot", "float32")),
        (lambda: gt.one_hot(gt.zeros(0, dtype=gt.int64)), gt.GTError, ("one_hot", "classes")),
        (lambda: gt.embedding(gt.tensor([0.5]), gt.ones(2, 2)), gt.GTError, ("float32",)),
    ],
)
def test_at_the_call(f, error, words):
    with pytest.raises(error) as e:
        f()
    for word in words:
        assert word in str(e.value), f"{word!r} is missing in {e.value}"


def test_at_the_read():
    x = gt.arange(3)
    line = inspect.currentframe().f_lineno + 1
    y = x[gt.tensor([0, 7])]
    z = y * 2 + 1
    for value in (z, y, z.sum()):
        with pytest.raises(
            IndexError,
            match=rf"7 .*out of range.*size 3.*test_errors.py:{line} \(test_at_the_read\)",
        ):
            value.tolist()
    assert (x + 1).tolist() == [1, 2, 3], "everything else goes on"
    gt.synchronize()
    with pytest.raises(IndexError):
        str(z)
    with pytest.raises(IndexError):
        memoryview(z)


def test_the_line_is_the_users():
    layer = gt.nn.Sequential(gt.nn.Embedding(3, 2))
    line = inspect.currentframe().f_lineno + 1
    y = layer(gt.tensor([9]))
    with pytest.raises(IndexError, match=f"test_errors.py:{line} "):
        y.tolist()
    names = {}
    exec(compile("import gt\n\n\nz = gt.arange(3)[gt.tensor([3])]", "made_up.py", "exec"), names)
    with pytest.raises(IndexError, match="made_up.py:4 "):
        names["z"].tolist()


def test_lines_inside_a_loop_and_a_statement_of_several_lines():
    bad = [gt.arange(2)[gt.tensor([k])] for k in (2, 3)]
    for x in bad:
        with pytest.raises(IndexError, match="test_errors.py"):
            x.tolist()


def test_classes():
    assert issubclass(gt.GTError, RuntimeError)
    for name, cls in gt._gt._errors.items():
        if name == "KeyboardInterrupt":
            assert cls is KeyboardInterrupt
        else:
            assert issubclass(cls, gt.GTError) and cls.__doc__ and getattr(gt.errors, name) is cls
        builtin = getattr(builtins, name, None)
        if builtin:
            assert issubclass(cls, builtin) and not hasattr(gt, name), "a builtin would be shadowed"
        else:
            assert getattr(gt, name) is cls
    assert issubclass(gt.ShapeError, ValueError) and issubclass(gt.DtypeError, TypeError)
    assert issubclass(gt.OutOfMemory, MemoryError) and issubclass(
        gt.UnsupportedError, NotImplementedError
    )


@pytest.mark.parametrize(
    "call,text",
    [
        (lambda: gt.ones(2).sum(axes=1), "unexpected keyword argument 'axes'"),
        (lambda: gt.ones(2).sum(0, dim=0), "'dim' twice"),
        (lambda: gt.ones(2).sum(0, False, None, 4), "at most 3"),
        (lambda: gt.ones(2).transpose(0), "misses the argument 'axis1'"),
        (lambda: gt.sum(), "first argument"),
        (lambda: gt.add(1), "misses the argument 'other'"),
        (lambda: gt.mul(1), "takes 2 arguments, got 1"),
        (lambda: gt.ones("a"), "shape"),
        (lambda: gt.ones(1.5), "shape"),
        (lambda: gt.ones(2).reshape(2.5), "shape"),
        (lambda: gt.full((2,), gt.ones(2)), "number"),
        (lambda: gt.full((2,), "x"), "number"),
        (lambda: gt.ones(2).permute("a"), "shape|int"),
        (lambda: gt.cat(5), "iterable"),
        (lambda: gt.from_numpy([1]), "array"),
        (lambda: gt.matmul(gt.ones(2), None), "None|tensor"),
        (lambda: gt.ones(2).gather(0, [0]), "tensor was expected"),
        (lambda: gt.zeros_like([1]), "tensor was expected"),
        (lambda: pow(gt.ones(2), 2, 3), "modulus"),
        (lambda: gt.ones(2).to(5), "dtype"),
        (lambda: gt.ones(2).add("a"), "add|operand"),
    ],
)
def test_arguments(call, text):
    with pytest.raises(TypeError, match=text):
        call()


def test_spellings_of_arguments():
    x = gt.arange(6).reshape(2, 3).float()
    a = x.sum(axis=1, keepdims=True)
    for b in (
        x.sum(dim=1, keepdim=True),
        x.sum(1, True),
        gt.sum(x, dim=1, keepdims=True),
        gt.sum(input=x, axis=1, keepdim=True),
        gt.sum(axis=1, input=x, keepdim=True),
        gt.sum(x, (1,), keepdims=1),
    ):
        assert a.tolist() == b.tolist()
    assert gt.cat(tensors=[x, x], dim=1).shape == (2, 6) and gt.softmax(input=x, dim=1).shape == (
        2,
        3,
    )
    assert gt.where(condition=x > 1, input=x, other=0).sum().item() == 14


def test_zero_sizes_everywhere():
    x = gt.zeros(2, 0, 3)
    for y in (
        x + 1,
        x.exp(),
        x.reshape(0),
        x.permute(2, 1, 0),
        x[:, :, 1:],
        x.sum(0),
        x @ gt.ones(3, 4),
        x.clone(),
        x.softmax(2),
        gt.cat([x, x], 1),
        x.flip(0),
        x.tril(),
        x.to(gt.int64),
        x > 0,
        x.unsqueeze(0),
        x.expand(5, 2, 0, 3),
        gt.layer_norm(x, (3,)),
    ):
        assert y.numel() == 0 and str(y.tolist()) and repr(y) and y.numpy().size == 0
    assert (
        x.sum().item() == 0
        and x.prod().item() == 1
        and x.any().item() is False
        and x.all().item() is True
    )
    assert str(x.mean().item()) == "nan" and x.sum(1).tolist() == [[0.0] * 3] * 2
    assert (gt.ones(2, 0) @ gt.ones(0, 3)).tolist() == [[0.0] * 3] * 2
    y = gt.zeros(0, requires_grad=True)
    (y * 2).sum().backward()
    assert (
        y.grad.shape == (0,)
        and gt.nn.Linear(0, 2)(gt.ones(3, 0)).shape == (3, 2)
        and gt.nn.Linear(2, 0)(gt.ones(3, 2)).shape == (3, 0)
    )


def test_signals():
    assert gt.signal.current() is None
    with gt.signal.context("forward", backward="backward"):
        with gt.signal.context("layer"):
            assert gt.signal.current() == "layer"
            x = gt.signal.tensor(gt.ones(2), name="named")
        assert gt.signal.current() == "forward" and x.tolist() == [1, 1]
        with pytest.raises(ValueError, match="forward"):
            gt.signal.exit("other")
    gt.signal.enter("a")
    gt.signal.exit()

    @gt.signal.context("decorated")
    def f():
        return gt.signal.current()

    assert (
        f() == "decorated"
        and gt.signal.current() is None
        and gt.signal.tensor([1], name="x").tolist() == [1]
    )
    with pytest.raises(KeyError):
        with gt.signal.context("left by an exception"):
            raise KeyError
    assert gt.signal.current() is None
    with pytest.raises(gt.StateError):
        gt.signal.exit()
    with pytest.raises(gt.GTError):
        gt.signal.enter("x" * 200)
    for _ in range(64):
        gt.signal.enter("deep")
    with pytest.raises(gt.LimitError, match="64"):
        gt.signal.enter("deeper")
    for _ in range(64):
        gt.signal.exit()


def test_signals_change_nothing():
    def run():
        gt.manual_seed(5)
        x = gt.randn(3, requires_grad=True)
        (x * gt.randn(3)).sum().backward()
        return x.grad.tolist()

    plain = run()
    with gt.signal.context("a", backward="b"):
        assert run() == plain


def test_texts_that_are_cut():
    """Long texts are cut, perhaps inside a character, but are texts of the right class."""
    with pytest.raises(ValueError, match="more than 127 bytes"):
        gt.signal.enter("x" + "\u00e4" * 100)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(gt.signal.context("\u00e4" * 60 + "y"))
        x = gt.arange(3)[gt.tensor([9])]
    with pytest.raises(IndexError, match="test_errors.py"):
        x.tolist()
