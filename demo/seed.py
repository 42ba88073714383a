"""Fills a running server with a dozen runs for who works on the page: `make dev` calls it.

Noisy curves that are made, not trained: most runs finished, some failed, two are live until Ctrl-C. The same seed gives
the same curves. Needs CORRAL_URL and a key, as every client does.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import time
from dataclasses import dataclass

import corral

RATES = (3e-4, 1e-3, 3e-3, 1e-2)
OPTIMIZERS = ("adamw", "sgd", "lion")


@dataclass(frozen=True)
class Shape:
    """What a made-up run looks like."""

    number: int
    optimizer: str
    rate: float
    width: int
    seed: int

    def figures(self, chance: random.Random, step: int, steps: int) -> dict[str, float]:
        """One call's worth: losses that fall towards a floor, a cosine rate, a spike now and then, NaN once."""
        progress = step / steps
        best = 0.25 + 0.12 * abs(math.log10(self.rate / 1e-3)) + 4.0 / self.width
        loss = best + 2.2 * math.exp(-9.0 * progress * (0.4 + self.rate * 100) ** 0.3)
        loss *= 1.0 + chance.gauss(0.0, 0.04)
        if chance.random() < 0.002:
            loss *= chance.uniform(2.0, 5.0)
        figures = {
            "train/loss": loss if step != steps // 3 or self.number % 5 else math.nan,
            "train/perplexity": math.exp(loss),
            "optim/learning_rate": self.rate * 0.5 * (1.0 + math.cos(math.pi * progress)),
            "optim/gradient_norm": 0.6 + loss * abs(chance.gauss(1.0, 0.3)),
            "speed/tokens_per_second": 41_000 * 256 / self.width * chance.uniform(0.93, 1.04),
            "speed/memory_gb": 11.0 + self.width / 64 + chance.uniform(0, 0.2),
        }
        if step % 20 == 0:
            figures["val/loss"] = loss * chance.uniform(1.02, 1.12)
            figures["val/accuracy"] = max(0.0, 1.0 - 0.32 * loss) * chance.uniform(0.98, 1.0)
        return figures


def shapes(count: int, seed: int) -> list[Shape]:
    pairs = itertools.cycle(itertools.product(OPTIMIZERS, RATES))
    return [Shape(number, *next(pairs), 64 << number % 4, seed + number) for number in range(count)]


def opened(shape: Shape, project: str, steps: int):
    return corral.init(
        project=project,
        config={
            "model": {"width": shape.width, "layers": 4 + shape.number % 3},
            "optimizer": {"name": shape.optimizer, "rate": shape.rate},
            "seed": shape.seed,
            "steps": steps,
        },
        tags=[shape.optimizer, "seeded"],
        group=shape.optimizer,
    )


def finished(shape: Shape, project: str, steps: int) -> None:
    """A run that is over: every fourth failed on its way."""
    chance, run = random.Random(shape.seed), opened(shape, project, steps)
    failed = shape.number % 4 == 3
    for step in range(int(steps * chance.uniform(0.2, 0.8)) if failed else steps):
        run.log(shape.figures(chance, step, steps), step=step)
    run.finish(exit_code=1 if failed else 0)


def live(living: list[Shape], project: str, steps: int, steps_per_second: float) -> None:
    """Runs that go on until Ctrl-C."""
    runs = [(shape, random.Random(shape.seed), opened(shape, project, steps)) for shape in living]
    try:
        for step in range(steps):
            for shape, chance, run in runs:
                run.log(shape.figures(chance, step, steps), step=step)
            time.sleep(1.0 / steps_per_second)
    except KeyboardInterrupt:
        pass
    for _, _, run in runs:
        run.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", default="seeded")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--live", type=int, default=2, help="so many of them stay live until Ctrl-C")
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--live-steps", type=int, default=100_000)
    parser.add_argument("--steps-per-second", type=float, default=5.0, help="of the live ones")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()

    made = shapes(chosen.runs, chosen.seed)
    over = made[: max(0, chosen.runs - chosen.live)]
    for shape in over:
        finished(shape, chosen.project, chosen.steps)
    if made[len(over) :]:
        live(made[len(over) :], chosen.project, chosen.live_steps, chosen.steps_per_second)


if __name__ == "__main__":
    main()
