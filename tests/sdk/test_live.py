"""The client and a server: what is sent arrives, whatever happens to either."""

import json
import os
import signal
import time


def test_a_run_from_init_to_finish(server):
    done = server.run(
        """
        import corral
        with corral.init(project="first", name="swift-mesa-41", config={"lr": 0.1, "model": {"depth": 3}}, tags=["a", "b"],
                         notes="hello", group="g", job_type="train", id="first-run") as run:
            run.define_metric("loss", goal="min", summary="min")
            for step in range(1_000):
                run.log({"loss": 1 / (step + 1), "acc": step / 1_000})
            run.config.batch = 32
            del run.config["lr"]
            run.summary["by hand"] = 2**53 + 1
            assert corral.run is run
        assert corral.run is None
        """
    )
    assert f"run swift-mesa-41 · {server.url}/r/first-run" in done.stderr
    assert f"sent 1,009 / durable 1,009 items · {server.url}/r/first-run" in done.stderr, done.stderr
    assert not server.rings(), "everything is durable: the spool is gone"
    run = server.ask(
        """
        run = api.run("first-run")
        answer = [run.name, run.state, run.tags, run.notes, run.group, run.job_type, run.config, run.exit_code, run.points,
                  run.summary["loss"], run.summary["acc"], run.summary["by hand"], run.max_step, run.take]
        """
    )
    expected = ["swift-mesa-41", "finished", ["a", "b"], "hello", "g", "train", {"model": {"depth": 3}, "batch": 32}, 0, 2_000]
    assert run == [*expected, 0.001, 0.999, 2**53 + 1, 999, 1]


def test_how_a_program_ends_is_how_its_run_ends(server):
    ends = {
        "end-0": ("pass", 0, "finished", 0, ""),
        "end-exit": ("import sys; sys.exit(3)", 3, "failed", 3, ""),
        "end-raise": ("raise ValueError('boom')", 1, "failed", 1, "ValueError: boom"),
        "end-with": ("with run: raise KeyError('x')", 1, "failed", 1, "KeyError: 'x'"),
        "end-finish": ("run.finish(exit_code=7)", 0, "failed", 7, ""),
    }
    for run, (code, status, state, exit_code, message) in ends.items():
        server.run(f"import corral\nrun = corral.init(project='ends', id='{run}')\nrun.log({{'a': 1}})\n{code}", expect=status)
        found = server.ask(f"run = api.run('{run}')\nanswer = [run.state, run.exit_code, run.message]")
        assert found == [state, exit_code, message], run


def test_projects_and_runs_are_listed(server):
    server.run(
        """
        import corral
        for n in range(3):
            run = corral.init(project="listed", id=f"listed-{n}", config={"n": n})
            run.log({"v": n}); run.finish()
        """
    )
    answer = server.ask(
        """
        runs = api.runs("listed")
        project = next(p for p in api.projects() if p.name == "listed")
        answer = [[r.id for r in runs], [r.config["n"] for r in runs], project.runs, project.created is not None]
        try:
            api.run("no-such-run")
        except KeyError:
            answer.append("KeyError")
        try:
            api.history(["listed-0"], ["v"], buckets=-1)
        except ValueError:
            answer.append("ValueError")
        """
    )
    assert answer == [["listed-2", "listed-1", "listed-0"], [2, 1, 0], 3, True, "KeyError", "ValueError"]


def test_history_is_an_arrow_table(server):
    answer = server.ask(
        """
        import pyarrow as pa
        for n in range(2):
            run = corral.init(project="tables", id=f"table-{n}", label="rank 0" if n else None)
            for step in range(2_000):
                run.log({"f": step * 0.5, "i": step, "spike": 1000.0 if step == 777 else 0.0})
            run.finish()
        runs = api.runs("tables")
        f = api.history(runs, ["f"])
        mixed = api.history(runs, ["f", "i"])
        few = api.history("table-0", "spike", buckets=50)
        answer = [
            [str(field.type) for field in f.schema], f.num_rows, f["value"].to_pylist()[:3], set(f["label"].to_pylist()) == {"", "rank 0"},
            pa.types.is_union(mixed["value"].type), mixed.num_rows, sum(mixed["value"].to_pylist()),
            few.column_names, few.num_rows <= 50, max(few["max"].to_pylist()), sum(few["count"].to_pylist()),
            [few["x_min"].to_pylist()[0], few["x_max"].to_pylist()[-1]], few["first_non_finite"].null_count == few.num_rows,
            api.history("table-0", "none").num_rows,
        ]
        """
    )
    names = "dictionary<values=string, indices=int32, ordered=0>"
    assert answer[0] == [names, names, names, "uint32", "int64", "timestamp[us, tz=UTC]", "double"]
    assert answer[1:4] == [4_000, [0.0, 0.5, 1.0], True]
    assert answer[4:7] == [True, 8_000, 2 * (1_999_000 + 999_500)]
    assert answer[7][4:] == ["x_min", "x_max", "count", "min", "max", "mean", "last", "nan_count", "first_non_finite"]
    assert answer[8:11] == [True, 1_000.0, 2_000]
    assert answer[11][0] == 0 and answer[11][1] >= 1_999 and answer[12] and answer[13] == 0


def test_resume(server):
    def run(resume, steps, **more):
        return server.run(
            f"""
            import corral
            run = corral.init(project="resumed", id="again", resume={resume!r})
            for n in range({steps}): run.log({{"v": n}})
            """,
            **more,
        )

    refused = run("must", 0, expect=1)
    assert "RuntimeError: run again was refused: it does not exist" in refused.stderr
    run("never", 10)
    refused = run("never", 10, expect=1)
    assert "RuntimeError: run again was refused: it exists" in refused.stderr
    run("allow", 5)
    run("must", 5)
    steps = "api.history('again', 'v')['step'].to_pylist()"
    assert server.ask(f"answer = [{steps}, api.run('again').take]") == [[*range(20)], 1]
    run(None, 3)
    assert server.ask(f"answer = [{steps}, api.run('again').take]") == [[0, 1, 2], 2]


def test_a_run_that_is_opened_again_after_its_end_does_not_draw_over_itself(server):
    server.run(
        """
        import corral, subprocess, sys
        def cell(steps, resume=None):
            with corral.init(project="notebook", id="cell", resume=resume) as run:
                for n in range(steps): run.log({"v": n})
        cell(5)
        cell(3)
        child = "import corral; run = corral.init(project='notebook', id='cell'); run.log({'v': 3}, step=3)"
        with corral.init(project="notebook", id="cell", resume="allow") as run:
            run.log({"v": 9}, step=9)
            subprocess.run([sys.executable, "-c", child], check=True)
        """
    )
    history = "sorted(api.history('cell', 'v')['step'].to_pylist())"
    assert server.ask(f"answer = [{history}, api.run('cell').take]") == [[0, 1, 2, 3, 9], 2]


def test_children_join_their_parents_run(server):
    server.run(
        """
        import corral, multiprocessing, os, subprocess, sys
        def work(rank):
            for step in range(100): corral.log({f"rank{rank}": step}, step=step)
        if __name__ == "__main__":
            run = corral.init(project="ranks", id="ranks")
            run.log({"parent": 1})
            children = [multiprocessing.get_context("fork").Process(target=work, args=(rank,)) for rank in range(2)]
            for child in children: child.start()
            for child in children: child.join(); assert child.exitcode == 0
            subprocess.run([sys.executable, "-c", "import corral; corral.init(project='ranks', id='ranks').log({'sub': 1})"], check=True)
            run.log({"parent": 2})
        """
    )
    answer = server.ask(
        """
        run = api.run("ranks")
        answer = [run.take, run.state, {name: metric.count for name, metric in run.metrics.items()}]
        """
    )
    assert answer == [1, "finished", {"parent": 2, "rank0": 100, "rank1": 100, "sub": 1}]


def test_a_killed_trainer_loses_nothing_that_log_returned_for(server):
    trainer = server.start(
        """
        import corral, itertools
        run = corral.init(project="killed", id="killed")
        for step in itertools.count():
            run.log({"v": step}, step=step)
            print(step, flush=True)
        """
    )
    for line in trainer.stdout:
        if int(line) >= 5_000:
            break
    trainer.send_signal(signal.SIGKILL)
    returned = int(([line] + trainer.stdout.read().split("\n")[:-1])[-1])
    trainer.communicate()
    assert len(server.rings()) == 1
    server.run("import corral\nwith corral.init(project='killed', id='next') as run: run.log({'v': 1})")
    until = time.monotonic() + 60
    while server.rings() and time.monotonic() < until:
        server.run("import corral, time\nwith corral.init(project='killed', id='next', resume='allow') as run: run.log({'v': 1}); time.sleep(0.3)")
    steps = server.ask("answer = api.history('killed', 'v')['step'].to_pylist()")
    assert steps[: returned + 1] == [*range(returned + 1)] and len(steps) <= returned + 2


def test_a_server_that_is_killed_again_and_again(own_server):
    trainer = own_server.start(
        """
        import corral, time
        run = corral.init(project="restarts", id="restarts")
        for step in range(3_000):
            run.log({"v": step, "w": -step}, step=step)
            time.sleep(0.002)
        """
    )
    address = own_server.url.removeprefix("http://")
    for _ in range(3):
        time.sleep(1.2)
        own_server.kill()
        own_server.start_server(address)
    out, err = trainer.communicate(timeout=120)
    assert trainer.returncode == 0 and "sent 3,004 / durable 3,004 items" in err, out + err
    answer = own_server.ask("t = api.history('restarts', ['v', 'w'])\nanswer = t['value'].to_pylist()")
    assert answer == [*range(3_000), *(-step for step in range(3_000))]


def test_a_wrong_key_is_said_once_and_nothing_is_lost(server, tmp_path):
    code = "import corral\nwith corral.init(project='keys', id='keys') as run: run.log({'v': 1})"
    done = server.run(code, CORRAL_API_KEY="corral_0_wrong", CORRAL_EXIT_TIMEOUT="2", CORRAL_DIR=str(tmp_path))
    assert done.stderr.count("no valid key") == 1 and "items stay in" in done.stderr, done.stderr
    until = time.monotonic() + 30
    while list((tmp_path / "spool").glob("*.ring")) and time.monotonic() < until:
        server.run("import corral, time\nwith corral.init(project='keys', id='other', resume='allow') as run: run.log({'v': 1}); time.sleep(0.3)", CORRAL_DIR=str(tmp_path))
    assert server.ask("answer = api.history('keys', 'v')['value'].to_pylist()") == [1]


def test_an_answer_covers_what_this_process_logged(server):
    answer = server.ask(
        """
        run = corral.init(project="fresh", id="fresh")
        answer = []
        for step in range(20):
            run.log({"v": step})
            while not run._native.wait(100): pass
            answer.append(api.history("fresh", "v").num_rows)
        run.finish()
        """
    )
    assert answer == [*range(1, 21)]


def test_the_key_stays_out_of_sight(server):
    done = server.run("import corral\nwith corral.init(project='quiet') as run: run.log({'v': 1})")
    config = json.dumps((server.home / "config/corral/credentials").read_text())
    keys = [word.strip('\\"') for word in config.split() if "corral_" in word]
    assert keys and not any(key in done.stderr + done.stdout for key in keys)
    assert os.stat(server.home / "config/corral/credentials").st_mode & 0o077 == 0
