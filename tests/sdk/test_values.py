"""What each Python value is as a point, and that it comes back exactly."""

import math

VALUES = """
    import corral, decimal, enum, fractions, json, math, numpy
    from decimal import Decimal
    class Count(enum.IntEnum):
        SEVEN = 7
    class Indexed:
        def __index__(self): return 11
    values = {
        "float": 0.1, "nan": math.nan, "inf": math.inf, "-inf": -math.inf, "-0.0": -0.0, "tiny": 5e-324,
        "int": -3, "2^53+1": 2**53 + 1, "i64 max": 2**63 - 1, "i64 min": -2**63, "u64 max": 2**64 - 1, "2^63": 2**63,
        "beyond": 2**70, "true": True, "false": False, "none": None, "enum": Count.SEVEN, "index": Indexed(),
        "decimal": Decimal("0.25"), "fraction": fractions.Fraction(1, 4),
        "np.float64": numpy.float64(0.1), "np.float32": numpy.float32(0.1), "np.float16": numpy.float16(0.1),
        "np.int8": numpy.int8(-8), "np.int64": numpy.int64(2**62 + 1), "np.uint8": numpy.uint8(255),
        "np.uint64": numpy.uint64(2**64 - 1), "np.bool": numpy.bool_(True), "np.longdouble": numpy.longdouble(0.5),
        "0-d": numpy.array(1.5), "1-element": numpy.array([2], dtype=numpy.int32), "0-d f32": numpy.array(1.5, dtype=numpy.float32),
        "f32 nan": numpy.float32("nan"),
    }
    run = corral.init(project="values", id="ID")
    run.log({**values, "text": "héllo"}, step=5)
    run.finish()
    table = corral.Api().history(["ID"], [name for name in values if name != "none"])
    answer = {}
    for name, value, step in zip(table["metric"].to_pylist(), table["value"].to_pylist(), table["step"].to_pylist()):
        assert step == 5
        answer[name] = [type(value).__name__, repr(value)]
    assert corral.Api().history(["ID"], ["none"]).num_rows == 0
"""

EXPECTED = {
    "float": ("float", "0.1"), "nan": ("float", "nan"), "inf": ("float", "inf"), "-inf": ("float", "-inf"),
    "-0.0": ("float", "-0.0"), "tiny": ("float", "5e-324"),
    "int": ("int", "-3"), "2^53+1": ("int", str(2**53 + 1)), "i64 max": ("int", str(2**63 - 1)),
    "i64 min": ("int", str(-(2**63))), "u64 max": ("int", str(2**64 - 1)), "2^63": ("int", str(2**63)),
    "beyond": ("float", repr(float(2**70))), "true": ("bool", "True"), "false": ("bool", "False"),
    "enum": ("int", "7"), "index": ("int", "11"), "decimal": ("float", "0.25"), "fraction": ("float", "0.25"),
    "np.float64": ("float", "0.1"), "np.float32": ("float", "0.10000000149011612"),
    "np.float16": ("float", "0.0999755859375"), "np.int8": ("int", "-8"), "np.int64": ("int", str(2**62 + 1)),
    "np.uint8": ("int", "255"), "np.uint64": ("int", str(2**64 - 1)), "np.bool": ("bool", "True"),
    "np.longdouble": ("float", "0.5"), "0-d": ("float", "1.5"), "1-element": ("int", "2"), "0-d f32": ("float", "1.5"),
    "f32 nan": ("float", "nan"),
}  # fmt: skip


def test_each_value_comes_back_as_what_it_is(server):
    answer = server.ask(VALUES.replace("ID", "values-1"))
    assert {name: tuple(found) for name, found in answer.items()} == EXPECTED


def test_a_tensor_is_its_item(server):
    """Of a library that is not there: what is asked of a tensor is `dtype` and `item()`."""
    answer = server.ask(
        """
        class Tensor:
            def __init__(self, value, dtype): self.value, self.dtype = value, dtype
            def item(self): return self.value
            def __float__(self): return float(self.value)
        class Named:
            def __init__(self, text): self.text = text
            def __str__(self): return self.text
        class Many(Tensor):
            def item(self): raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")
        run = corral.init(project="values", id="tensors")
        run.log({
            "f32": Tensor(0.5, Named("torch.float32")), "bf16": Tensor(0.25, Named("torch.bfloat16")),
            "f64": Tensor(0.1, Named("torch.float64")), "i64": Tensor(2**53 + 1, Named("torch.int64")),
            "bool": Tensor(True, Named("torch.bool")), "many": Many(0, Named("torch.float32")),
        })
        run.finish()
        table = api.history(["tensors"], ["f32", "bf16", "f64", "i64", "bool", "many"])
        answer = {name: repr(value) for name, value in zip(table["metric"].to_pylist(), table["value"].to_pylist())}
        """
    )
    assert answer == {"f32": "0.5", "bf16": "0.25", "f64": "0.1", "i64": str(2**53 + 1), "bool": "True"}


def test_nested_dicts_are_joined_and_the_last_wins(server):
    answer = server.ask(
        """
        run = corral.init(project="values", id="nested")
        run.log({"a": {"b": 1, "c": {"d": 2}}, "a.b": 3, 7: {"x": 4}})
        run.log({"a.b": 5, "a": {"b": 6}})
        run.finish()
        table = api.history(["nested"], ["a.b", "a.c.d", "7.x"])
        answer = sorted(zip(table["metric"].to_pylist(), table["step"].to_pylist(), table["value"].to_pylist()))
        """
    )
    assert answer == [["7.x", 0, 4], ["a.b", 0, 3], ["a.b", 1, 6], ["a.c.d", 0, 2]]


def test_keys_that_are_equal_but_not_the_same_object(server):
    answer = server.ask(
        """
        run = corral.init(project="values", id="equal-keys")
        for step in range(100):
            run.log({f"m{n}": n + step for n in range(step % 7 + 1)}, step=step)
            run.log({"fixed": step, "other": -step}, step=step)
        run.finish()
        names = [f"m{n}" for n in range(7)] + ["fixed", "other"]
        table = api.history(["equal-keys"], names)
        answer = [[m, s, v] for m, s, v in zip(table["metric"].to_pylist(), table["step"].to_pylist(), table["value"].to_pylist())]
        """
    )
    expected = [[f"m{n}", step, n + step] for step in range(100) for n in range(step % 7 + 1)]
    expected += [[name, step, step * sign] for step in range(100) for name, sign in (("fixed", 1), ("other", -1))]
    assert sorted(answer) == sorted(expected)


def test_steps(server):
    answer = server.ask(
        """
        run = corral.init(project="values", id="steps")
        for step in (None, None, 10, None, 3, None, 4.0, -5):
            run.log({"v": 1}, step=step)
        run.log({"v": 2}, step=1.5)
        run.finish()
        table = api.history(["steps"], ["v", "step"])
        points = list(zip(table["metric"].to_pylist(), table["step"].to_pylist(), table["value"].to_pylist()))
        answer = [[s for m, s, v in points if m == "v"], [v for m, s, v in points if m == "step"],
                  api.run("steps").metrics["v"].step_metric]
        """
    )
    assert answer == [[0, 1, 10, 11, 3, 4, 4, -5, -4], [1.5], "step"]


def test_whole_steps_among_fractions_are_fractions_too(server):
    answer = server.ask(
        """
        run = corral.init(project="values", id="halves")
        for i in range(5):
            run.log({"v": i}, step=i / 2)
        run.finish()
        table = api.history(["halves"], ["step"])
        answer = table["value"].to_pylist()
        """
    )
    assert answer == [0.5, 1.0, 1.5, 2.0]


def test_a_very_wide_call_is_several_items_of_one_step(server):
    answer = server.ask(
        """
        run = corral.init(project="values", id="wide")
        run.log({f"w/{n}": float(n) for n in range(40_000)}, step=3)
        run.finish()
        info = api.run("wide")
        answer = [info.points, info.metric_count, info.max_step, info.metrics["w/39999"].last]
        """
    )
    assert answer == [40_000, 40_000, 3, 39_999.0]
    assert math.isfinite(answer[3])


def test_a_text_that_spells_a_number_stays_a_text(server):
    answer = server.ask(
        """
        import math
        odd = {"nan": math.nan, "text": "NaN", "list": [math.nan, "NaN", [-math.inf, "-Infinity"]], "quoted": '["NaN"]', "inf": "Infinity"}
        run = corral.init(project="values", id="spelled", config=odd)
        run.summary.update(odd)
        run.finish()
        info = api.run("spelled")
        answer = [{key: repr(value) for key, value in of.items()} for of in (info.config, info.summary)]
        """
    )
    expected = {"nan": "nan", "text": "'NaN'", "list": "[nan, 'NaN', [-inf, '-Infinity']]", "quoted": "'[\"NaN\"]'", "inf": "'Infinity'"}
    assert answer == [expected, expected]
