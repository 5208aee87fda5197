"""How many people a second are recovered from pictures, and what takes how long.

    python benchmarks/predict.py [--limit 24] [--processes 2] [--weights open] [--no-refine]

The pictures are SynthOcc's validation people (256 px, all subsets in turn), each of which every
process recovers whole, with one thread. People a second are those of all processes together, on a
machine that does nothing else. The table is of one process alone.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from torch import multiprocessing

from dimr.data.synthetic.synthocc import SUBSETS, SynthOcc
from dimr.predict import Model, load


def watch(owner: object, name: str) -> list[float]:
    """Seconds of each further call of a method."""
    method, seconds = getattr(owner, name), []

    def watched(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        answer = method(*arguments, **named)
        seconds.append(time.perf_counter() - start)
        return answer

    setattr(owner, name, watched)
    return seconds


def recover(model: Model, pictures: list[np.ndarray], refine: bool) -> tuple[int, float]:
    """How many people were recovered, in how many seconds."""
    start = time.perf_counter()
    people = sum(
        len(model.predict(each, refine=refine, min_score=0.0).people) for each in pictures
    )
    return people, time.perf_counter() - start


def work(
    weights: str, pictures: list[np.ndarray], refine: bool, barrier: Any, results: Any
) -> None:
    """One process: a first round to warm up, then one together with the others."""
    torch.set_num_threads(1)
    model = load(weights)
    recover(model, pictures, refine)
    barrier.wait()
    results.put(recover(model, pictures, refine))


def main() -> None:
    """Prints people a second and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=24, help="pictures")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--weights", default="open")
    parser.add_argument("--no-refine", dest="refine", action="store_false")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load(options.weights)
    drawn = SynthOcc(model.body, model.atlas, "val")
    subsets = list(SUBSETS)
    pictures = [
        drawn.crop(subsets[each % len(subsets)], each // len(subsets)).image
        for each in range(options.limit)
    ]
    console, context = Console(width=100), multiprocessing.get_context("spawn")
    for count in sorted({1, options.processes}):
        barrier, results = context.Barrier(count), context.Queue()
        arguments = (options.weights, pictures, options.refine, barrier, results)
        workers = [context.Process(target=work, args=arguments) for _ in range(count)]
        for worker in workers:
            worker.start()
        rates = [people / seconds for people, seconds in (results.get() for _ in workers)]
        for worker in workers:
            worker.join()
        console.print(f"{count} processes: {sum(rates):.1f} people a second")
    recover(model, pictures, options.refine)
    finding = watch(model.stage1, "find_people")
    stage2 = (model, "refine") if options.refine else (model.stage2, "regress_from")
    body = watch(*stage2)
    people, seconds = recover(model, pictures, options.refine)
    parts = {"find people": sum(finding), "stage 2 and refinement": sum(body)}
    parts["second pass, landmarks, the rest"] = seconds - sum(parts.values())
    table = Table("part", "ms a person", box=MARKDOWN)
    for part, spent in parts.items():
        table.add_row(part, f"{1e3 * spent / people:.0f}")
    table.add_row("all", f"{1e3 * seconds / people:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
