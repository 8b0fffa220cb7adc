"""gt.save and gt.load: the safetensors format, and what is wrong with a file."""

import json
import os
import struct

import pytest

import gt
from gt import nn


def write(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def test_round_trip(tmp_path):
    tensors = {
        "a": gt.randn(3, 4),
        "empty": gt.zeros(0, 2),
        "scalar": gt.tensor(2.5),
        "ä": gt.arange(5)[::2],
        "mask": gt.tensor([True, False]),
        "i": gt.ones(2, dtype=gt.int32),
        "d": gt.randn(2, dtype=gt.float64).T,
    }
    gt.save(tensors, tmp_path / "x.safetensors")
    back = gt.load(str(tmp_path / "x.safetensors"))
    assert list(back) == list(tensors)
    for name, x in tensors.items():
        assert (
            back[name].dtype is x.dtype
            and back[name].shape == x.shape
            and back[name].tolist() == x.tolist()
        )
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_modules(tmp_path):
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    gt.save(a.state_dict(), tmp_path / "m")
    b.load_state_dict(gt.load(tmp_path / "m"))
    assert (
        gt.equal(a.weight, b.weight)
        and gt.equal(a.bias, b.bias)
        and not gt.load(tmp_path / "m")["bias"].requires_grad
    )
    gt.save({}, tmp_path / "none")
    assert gt.load(tmp_path / "none") == {}


def test_format(tmp_path):
    gt.save({"x": gt.tensor([1.0, 2.0]), "b": gt.tensor([True])}, tmp_path / "x")
    raw = (tmp_path / "x").read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    assert n % 8 == 0 and raw[8 + n :] == struct.pack("<2f?", 1, 2, True)
    assert json.loads(raw[8 : 8 + n]) == {
        "x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "BOOL", "shape": [1], "data_offsets": [8, 9]},
    }
    path = write(
        tmp_path / "other",
        {
            "__metadata__": {"format": "pt"},
            "y": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
        },
        struct.pack("<q", -7),
    )
    assert gt.load(path)["y"].item() == -7


@pytest.mark.parametrize(
    "value",
    [
        [gt.ones(1)],
        {"a": 1},
        {1: gt.ones(1)},
        gt.ones(1),
        {"a": {"b": gt.ones(1)}},
        {"__metadata__": gt.ones(1)},
    ],
)
def test_what_is_not_saved(tmp_path, value):
    with pytest.raises(TypeError, match="gt.save"):
        gt.save(value, tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_an_old_file_survives(tmp_path):
    gt.save({"a": gt.ones(1)}, tmp_path / "x")
    with pytest.raises(IndexError):
        gt.save({"a": gt.ones(2)[gt.tensor([5])]}, tmp_path / "x")
    assert gt.load(tmp_path / "x")["a"].tolist() == [1]
    with pytest.raises(OSError):
        gt.save({"a": gt.ones(1)}, tmp_path / "no" / "x")
    with pytest.raises(FileNotFoundError):
        gt.load(tmp_path / "missing")


def entry(dtype="F32", shape=(2,), start=0, end=8, **more):
    return {"x": {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end], **more}}


BAD = {
    "empty": (b"", None),
    "short": (b"\1\2", None),
    "no json": (b"{nope", b""),
    "a list": (b"[]", b""),
    "not utf-8": (b'{"\xff": 1}', b""),
    "entry": ({"x": 5}, b""),
    "no offsets": ({"x": {"dtype": "F32", "shape": [2]}}, b"12345678"),
    "three offsets": (
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8]}},
        b"12345678",
    ),
    "type": (entry("F12"), b"12345678"),
    "pickle": (entry("object"), b"12345678"),
    "size": (entry(shape=(3,)), b"12345678"),
    "negative": (entry(shape=(-2,)), b"12345678"),
    "float shape": (entry(shape=(2.0,)), b"12345678"),
    "bool shape": (entry(shape=(True,), end=4), b"1234"),
    "text shape": (entry(shape="2"), b"12345678"),
    "huge": (entry(shape=(2**62, 4)), b"12345678"),
    "hole": (entry(start=4, end=12), b"123456781234"),
    "too long": (entry(), b"123456789"),
    "too short": (entry(), b"1234567"),
    "backwards": (entry(start=8, end=0), b"12345678"),
    "twice": (
        b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b"1234",
    ),
    "overlap": ({**entry(), "y": entry()["x"]}, b"12345678"),
    "not bool": (entry("BOOL", (1,), 0, 1), b"\2"),
    "deep": (b"[" * 100000, b""),
    "rank": (entry("BOOL", (1,) * 9, 0, 1), b"\1"),
    "offsets": (entry(start=None), b"12345678"),
}


@pytest.mark.parametrize("name", BAD)
def test_damaged_files(tmp_path, name):
    header, data = BAD[name]
    path = tmp_path / "x"
    if data is None:
        path.write_bytes(header)
    else:
        write(path, header, data)
    with pytest.raises(gt.GTError):
        gt.load(path)


def test_lengths_that_lie(tmp_path):
    for length in (5, 2**63, 2**64 - 1, 200_000_000):
        with pytest.raises(gt.ProtocolError):
            gt.load(write(tmp_path / "x", {}, length=length))


def test_every_cut_is_noticed(tmp_path):
    gt.save({"x": gt.arange(3), "y": gt.ones(2, 2)}, tmp_path / "x")
    raw = (tmp_path / "x").read_bytes()
    for n in range(len(raw)):
        (tmp_path / "cut").write_bytes(raw[:n])
        with pytest.raises(gt.ProtocolError):
            gt.load(tmp_path / "cut")
