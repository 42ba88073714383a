"""Config and summary: what is sent when they change. Needs no server."""

import argparse
import dataclasses
import enum
import pathlib

import numpy
import pytest

from corral._tree import Config, Summary, leaves, plain


def recorded(node=None):
    sent = []
    return Config(node, send=sent.extend), sent


def test_changes_are_sent_as_they_are_made():
    config, sent = recorded({"lr": 0.1, "model": {"depth": 3}})
    config["lr"] = 0.2
    config.batch = 32
    config.model.width = 5
    config["model"]["depth"] = 4
    del config["lr"]
    assert sent == [
        (["lr"], 0.2),
        (["batch"], 32),
        (["model", "width"], 5),
        (["model", "depth"], 4),
        (["lr"],),
    ]
    assert config.as_dict() == {"model": {"depth": 4, "width": 5}, "batch": 32}


def test_a_dict_that_is_replaced_takes_its_leaves_along():
    config, sent = recorded({"a": {"x": 1, "y": 2}})
    config["a"] = {"y": 3}
    assert sent == [(["a", "x"],), (["a", "y"], 3)]
    sent.clear()
    config["a"] = 7
    assert sent == [(["a", "y"],), (["a"], 7)]


def test_paths_are_kept():
    assert list(leaves({"a": {"b": 1}, "a.b": 2})) == [(["a", "b"], 1), (["a.b"], 2)]


def test_reading_is_like_a_dict():
    config, _ = recorded({"a": 1, "b": {"c": 2}})
    assert config.a == 1 and config["b"].c == 2 and config.get("z") is None and dict(config)["a"] == 1
    assert "a" in config and len(config) == 2 and list(config) == ["a", "b"]
    with pytest.raises(AttributeError):
        config.missing
    with pytest.raises(KeyError):
        config["missing"]


class Color(enum.IntEnum):
    RED = 3


class Name(str, enum.Enum):
    ADAM = "adam"


@dataclasses.dataclass
class Options:
    lr: float
    name: str


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        (True, True),
        (2**53 + 1, 2**53 + 1),
        ("text", "text"),
        ((1, 2.5, "x"), [1, 2.5, "x"]),
        ({3, 1, 2}, [1, 2, 3]),
        (Color.RED, 3),
        (Name.ADAM, "adam"),
        (Options(0.5, "n"), {"lr": 0.5, "name": "n"}),
        (argparse.Namespace(lr=1, deep={"er": 2}), {"lr": 1, "deep": {"er": 2}}),
        (pathlib.Path("/data/x"), "/data/x"),
        (numpy.float32(0.5), 0.5),
        (numpy.int64(7), 7),
        (numpy.bool_(True), True),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ([{"a": 1}], ["{'a': 1}"]),
        ({1: {2: 3}}, {"1": {"2": 3}}),
    ],
)
def test_values_are_made_plain(given, kept):
    found = plain(given)
    assert found == kept and type(found) is type(kept)


def test_what_cannot_be_kept_is_kept_as_text():
    class Odd:
        def __repr__(self):
            raise ValueError

    assert plain(object()).startswith("<object object")
    assert plain(Odd()) == "<Odd>"
    loop = {}
    loop["again"] = loop
    assert plain(loop)


def test_summary():
    sent = []
    summary = Summary(sent.extend)
    summary["best"] = 0.5
    summary.update({"val": {"acc": numpy.float64(0.25)}}, note="x")
    del summary["best"]
    assert sent == [("best", 0.5), ("val.acc", 0.25), ("note", "x"), ("best",)]
    assert dict(summary) == {"val.acc": 0.25, "note": "x"}
