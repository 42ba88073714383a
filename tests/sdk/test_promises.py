"""What the client says it does at the edges: ends that were caught, runs that are refused, forks, files that stay."""

import time

import pytest


def ends(server, run, code, status):
    server.run(f"import corral, sys\nrun = corral.init(project='promises', id='{run}')\n{code}", expect=status)
    return server.ask(f"run = api.run('{run}')\nanswer = [run.state, run.exit_code]")


@pytest.mark.parametrize(
    ("run", "code", "status", "expect"),
    [
        ("caught-log", "try: sys.exit(2)\nexcept SystemExit: pass\nrun.log({'a': 1})", 0, ["finished", 0]),
        ("caught-finish", "try: sys.exit(2)\nexcept SystemExit: pass\nrun.finish()", 0, ["finished", 0]),
        ("caught-init", "try: sys.exit(2)\nexcept SystemExit: pass\nother = corral.init(project='promises')", 0, ["finished", 0]),
        ("finally", "try: sys.exit(2)\nfinally: run.log({'last words': 1})", 2, ["failed", 2]),
        ("handled", "try: sys.exit(2)\nexcept SystemExit:\n    run.log({'a': 1})\n    raise", 2, ["failed", 2]),
        ("atexit", "import atexit; atexit.register(lambda: run.log({'a': 1})); sys.exit(2)", 2, ["failed", 2]),
        (
            "thread",
            "import threading, time\ndef work():\n    time.sleep(0.3); run.log({'a': 1})\nthreading.Thread(target=work).start()\nsys.exit(2)",
            2,
            ["failed", 2],
        ),
    ],
)
def test_only_an_exit_that_ends_the_program_is_how_its_run_ends(server, run, code, status, expect):
    assert ends(server, f"end-{run}", code, status) == expect


def test_a_run_can_be_renamed_until_it_is_finished(server):
    done = server.run(
        """
        import corral
        run = corral.init(project="promises", id="renamed", name="before")
        run.name, run.notes, run.tags = "after", "text", ["x"]
        try:
            run.name = 3
        except TypeError as error:
            print(error)
        assert run.name == "after"
        run.finish()
        run.name = "late"; run.notes = "late"; run.tags = ["late"]; run.config.late = 1
        print("alive")
        """
    )
    assert done.stdout == "name: must be a string\nalive\n"
    assert [f"{what}: a change of the run was not kept" in done.stderr for what in ("name", "notes", "tags")] == [True] * 3
    assert server.ask("run = api.run('renamed')\nanswer = [run.name, run.notes, run.tags]") == ["after", "text", ["x"]]


def test_each_refused_run_of_a_sweep_is_told(server):
    server.run("import corral\nfor n in range(3): corral.init(project='promises', id=f'swept-{n}').finish()")
    done = server.run(
        """
        import corral, time
        runs = [corral.init(project="elsewhere", id=f"swept-{n}") for n in range(3)]
        for run in runs:
            run._native.wait_opened(20_000)
        """
    )
    for n in range(3):
        assert done.stderr.count(f"run swept-{n} was refused: a run of another project has this id") == 1, done.stderr


def test_children_of_who_asked_ask_for_themselves(server):
    server.run("import corral\ncorral.init(project='promises', id='asked').finish()")
    server.run(
        """
        import corral, os, sys
        def sockets():
            found = set()
            for fd in os.listdir("/proc/self/fd"):
                try:
                    found.add(os.readlink(f"/proc/self/fd/{fd}"))
                except OSError:
                    pass
            return {name for name in found if name.startswith("socket:")}
        api = corral.Api()
        assert api.run("asked").id == "asked"
        before = sockets()
        assert before
        for asks in (5, 5, 0):
            child = os.fork()
            if child == 0:
                for _ in range(asks):
                    assert api.run("asked").id == "asked"
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert api.run("asked").id == "asked"
        # A word of a child on the parent's connection would have ended it, and the parent would have made another.
        assert sockets() == before
        """
    )


def test_files_that_nothing_sends_are_named(dead):
    done = dead.run("import corral\nwith corral.init(mode='offline') as run: run.log({'a': 1})")
    ring = next((dead.home / "state/corral/offline").glob("*.ring"))
    assert f"{ring} (offline): nothing sends these files yet" in done.stderr, done.stderr


def test_a_url_that_leads_nowhere_is_refused_at_once(dead):
    for url in ("nonsense", "ftp://host"):
        began = time.monotonic()
        done = dead.run("import corral\ncorral.init()", expect=1, CORRAL_URL=url)
        assert f"ValueError: CORRAL_URL: \"{url}\" must be http:// or https://" in done.stderr, done.stderr
        assert time.monotonic() - began < 10
    done = dead.run("import corral\ncorral.init()", expect=1, CORRAL_URL="https://127.0.0.1:1", CORRAL_CA_FILE="/nowhere")
    assert "CORRAL_CA_FILE: /nowhere" in done.stderr, done.stderr


def test_a_missing_key_is_told_with_its_cure(server, tmp_path):
    code = "import corral\ncorral.init(project='promises').finish()"
    homeless = {"XDG_CONFIG_HOME": str(tmp_path), "CORRAL_DIR": str(tmp_path), "CORRAL_EXIT_TIMEOUT": "2"}
    done = server.run(code, **homeless)
    assert "no valid key; set CORRAL_API_KEY, or run on the machine and as the user of `corral serve`" in done.stderr, done.stderr
