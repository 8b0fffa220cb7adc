"""Text of tensors: examples written down from PyTorch."""

import pytest

import gt

inf, nan = float("inf"), float("nan")


@pytest.mark.parametrize(
    "data,text",
    [
        (1, "tensor(1)"),
        (1.0, "tensor(1.)"),
        (0.5, "tensor(0.5000)"),
        (True, "tensor(True)"),
        (-1.5, "tensor(-1.5000)"),
        ([], "tensor([])"),
        ([1, 2, 3], "tensor([1, 2, 3])"),
        ([1, -20, 300], "tensor([  1, -20, 300])"),
        ([1.0, 2.0], "tensor([1., 2.])"),
        ([1.0, 2.5], "tensor([1.0000, 2.5000])"),
        ([-1.0, 2.0], "tensor([-1.,  2.])"),
        ([True, False], "tensor([ True, False])"),
        ([nan, 1.0], "tensor([nan, 1.])"),
        ([inf, -inf, 0.5], "tensor([   inf,   -inf, 0.5000])"),
        ([0.0, 0.0], "tensor([0., 0.])"),
        ([1e-5, 1.0], "tensor([1.0000e-05, 1.0000e+00])"),
        ([1e5, 0.1], "tensor([1.0000e+05, 1.0000e-01])"),
        ([1e9], "tensor([1.0000e+09])"),
        ([123456.0], "tensor([123456.])"),
        ([1000.5], "tensor([1000.5000])"),
        ([[1, 2], [3, 4]], "tensor([[1, 2],\n        [3, 4]])"),
        (
            [[[1], [2]], [[3], [4]]],
            "tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])",
        ),
        ([[]], "tensor([], size=(1, 0))"),
        ([nan], "tensor([nan])"),
        ([100.0, 0.5, nan], "tensor([100.0000,   0.5000,      nan])"),
    ],
)
def test_text(data, text):
    assert repr(gt.tensor(data)) == str(gt.tensor(data)) == text


def test_facts_behind():
    assert repr(gt.zeros(2, dtype=gt.float64)) == "tensor([0., 0.], dtype=gt.float64)"
    assert repr(gt.zeros(2, dtype=gt.int32)) == "tensor([0, 0], dtype=gt.int32)"
    assert repr(gt.zeros(0, dtype=gt.int64)) == "tensor([], dtype=gt.int64)"
    assert repr(gt.zeros(2, 0, dtype=gt.bool)) == "tensor([], size=(2, 0), dtype=gt.bool)"
    x = gt.ones(1, requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)"
    assert (
        repr(x + 1) == "tensor([2.], grad_fn=<AddBackward>)" and repr(x.detach()) == "tensor([1.])"
    )
    assert repr((x * 1.5)[0]).startswith("tensor(1.5000, grad_fn=<")
    y = gt.ones(25, requires_grad=True)
    assert (
        repr(y).endswith("\n       requires_grad=True)") or max(map(len, repr(y).split("\n"))) <= 80
    )


def test_long_rows_are_broken():
    assert repr(gt.arange(30)) == (
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"
    )


def test_summary():
    assert repr(gt.arange(2000)) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"
    x = gt.arange(10000).reshape(100, 100)
    assert repr(x) == (
        "tensor([[   0,    1,    2,  ...,   97,   98,   99],\n"
        "        [ 100,  101,  102,  ...,  197,  198,  199],\n"
        "        [ 200,  201,  202,  ...,  297,  298,  299],\n"
        "        ...,\n"
        "        [9700, 9701, 9702,  ..., 9797, 9798, 9799],\n"
        "        [9800, 9801, 9802,  ..., 9897, 9898, 9899],\n"
        "        [9900, 9901, 9902,  ..., 9997, 9998, 9999]])"
    )
    assert repr(gt.zeros(5, 5, 5, 20)).count("...") == 125
    assert (
        repr(gt.zeros(3, 1000))
        == "tensor([[0., 0., 0.,  ..., 0., 0., 0.],\n"
        + "        [0., 0., 0.,  ..., 0., 0., 0.],\n        [0., 0., 0.,  ..., 0., 0., 0.]])"
    )


def test_a_thousand_elements_are_shown():
    assert "..." not in repr(gt.zeros(1000)) and "..." in repr(gt.zeros(1001))


def test_printing_records_nothing():
    x = gt.ones(40, 40, requires_grad=True)
    y = x * 2
    str(y)
    y.sum().backward()
    assert x.grad.sum().item() == 3200


def test_others():
    assert repr(gt.float32) == "gt.float32" and str(gt.bool) == "gt.bool"
    assert (
        repr(gt.ones(1, 2).max(1)) == "gt.ValuesIndices(values=tensor([1.]), indices=tensor([0]))"
    )
