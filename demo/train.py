"""Trains one small classifier on scikit-learn's digits and logs what it does: the program that `make demo` runs three of.

It is the example that people read first, so it is written as somebody would write their own training script:
`corral.init`, `run.log` in the loop, `run.finish`. The curves are real; nothing is invented. The digits are so few
that training would be over in seconds, so the loop is held to a number of steps a second that a person can watch.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import corral

DIGITS = np.arange(10)


@dataclass(frozen=True)
class Recipe:
    """Everything that makes one run differ from the next: this is the run's config."""

    solver: str
    layers: tuple[int, ...]
    learning_rate: float
    decay: float
    momentum: float
    batch_size: int
    weight_decay: float
    noise: float
    seed: int


RECIPES = {
    # A steady learner: Adam at its usual rate.
    "adam": Recipe("adam", (96,), 1e-3, 0.0, 0.0, 32, 1e-4, 3.0, 1),
    # A deeper net by plain gradient descent; its rate falls as it goes.
    "momentum": Recipe("sgd", (128, 64), 0.4, 0.25, 0.9, 64, 1e-4, 3.0, 2),
    # Too hot: learns fast, then shakes.
    "hot": Recipe("adam", (32,), 2e-2, 0.0, 0.0, 16, 1e-5, 4.0, 3),
}


class Batches:
    """Random batches of shifted, noisy digits, so that an epoch is never quite like the one before."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, recipe: Recipe) -> None:
        self._images, self._labels, self._recipe = images, labels, recipe
        self._random = np.random.default_rng(recipe.seed)

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._random.integers(0, len(self._images), self._recipe.batch_size)
        batch = self._images[chosen]
        down, right = self._random.integers(-1, 2, 2)
        batch = np.roll(batch, (down, right), axis=(1, 2))
        batch = batch + self._random.normal(0.0, self._recipe.noise, batch.shape)
        return _flat(batch), self._labels[chosen]


class Pace:
    """Holds a loop to a number of steps a second; 0 lets it run."""

    def __init__(self, steps_per_second: float) -> None:
        self._period = 1.0 / steps_per_second if steps_per_second > 0 else 0.0
        self._next = time.monotonic()

    def wait(self) -> None:
        self._next += self._period
        late = time.monotonic() - self._next
        if late < 0:
            time.sleep(-late)
        else:
            self._next += late


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 16.0


def _weights(model: MLPClassifier) -> np.ndarray:
    return np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])


def _learning_rate(recipe: Recipe, images_seen: int) -> float:
    """scikit-learn's "invscaling" rule (a decay of 0 is a constant rate)."""
    return recipe.learning_rate / (images_seen + 1) ** recipe.decay


def _validate(model: MLPClassifier, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    chances = model.predict_proba(_flat(images))
    guesses = chances.argmax(axis=1)
    recalls = recall_score(labels, guesses, labels=DIGITS, average=None, zero_division=0.0)
    return {
        "val/loss": float(log_loss(labels, chances, labels=DIGITS)),
        "val/accuracy": float((guesses == labels).mean()),
        "val/recall_worst_digit": float(recalls.min()),
    }


def train(run, recipe: Recipe, steps: int, steps_per_second: float) -> None:
    """The training loop; `run` is anything with a `log(dict, step=)`."""
    digits = load_digits()
    train_images, val_images, train_labels, val_labels = train_test_split(
        digits.images, digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )
    batches, pace = Batches(train_images, train_labels, recipe), Pace(steps_per_second)
    model = MLPClassifier(
        recipe.layers, solver=recipe.solver, alpha=recipe.weight_decay, batch_size=recipe.batch_size,
        learning_rate="invscaling" if recipe.decay else "constant", learning_rate_init=recipe.learning_rate,
        power_t=recipe.decay or 0.5, momentum=recipe.momentum, random_state=recipe.seed,
    )
    before, seen = None, 0
    for step in range(steps):
        images, labels = batches.draw()
        started = time.perf_counter()
        model.partial_fit(images, labels, classes=DIGITS)
        seconds = time.perf_counter() - started
        after, seen = _weights(model), seen + len(images)
        figures = {
            "train/loss": float(model.loss_),
            "train/accuracy": float(model.score(images, labels)),
            "optim/learning_rate": _learning_rate(recipe, seen),
            "optim/weight_norm": float(np.linalg.norm(after)),
            "speed/images_per_second": len(images) / seconds,
        }
        if before is not None:
            figures["optim/update_norm"] = float(np.linalg.norm(after - before))
        if step % 10 == 0 or step == steps - 1:
            figures.update(_validate(model, val_images, val_labels))
        run.log(figures, step=step)
        before = after
        pace.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="adam")
    parser.add_argument("--project", default="digits")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--steps-per-second", type=float, default=40.0, help="0: as fast as the machine can")
    chosen = parser.parse_args()
    # A net that has not converged is the point of a demo.
    warnings.filterwarnings("ignore", module="sklearn")

    recipe = RECIPES[chosen.recipe]
    with corral.init(
        project=chosen.project,
        config={**asdict(recipe), "layers": list(recipe.layers), "steps": chosen.steps},
        tags=["demo", recipe.solver],
        group=chosen.recipe,
        job_type="train",
        notes="A small net on scikit-learn's digits, from demo/train.py.",
    ) as run:
        run.define_metric("val/loss", goal="min", summary="best")
        run.define_metric("val/accuracy", goal="max", summary="best")
        run.define_metric("val/recall_worst_digit", goal="max", summary="best")
        train(run, recipe, chosen.steps, chosen.steps_per_second)


if __name__ == "__main__":
    main()
