"""The release has no planted bug: it does not know the variable that chooses one."""

from __future__ import annotations

import harness


def test_the_release_binary_knows_no_planted_bug() -> None:
    content = harness.built(harness.binary(), "corral-server").read_bytes()
    assert b"acknowledged records cannot be read" in content, "what the event log says is found in the binary"
    assert b"CORRAL_PLANTED_BUG" not in content
