"""Kill training runs at random moments, resume them, and compare them with runs that were never killed, bit by bit.

Every run is the command `python -m locnet.train` with dropout, stochastic depth, augmentation and a moving average,
alone or as two processes that talk over gloo. After each SIGKILL (of one process, or of all) it goes on with
`resume=RUN_DIR`, or is typed again where it had not even written its configuration. In the end the weights, averages,
optimizer states, history, metrics and predictions must be those of the run that was never killed.

    python benchmarks/crash.py [--kills 25] [--kills-per-run 9] [--seed 0] [--folder DIR]

The packages are imported once and the processes forked from there: that is all that differs from a typed command.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}

import pyarrow.parquet as pq
import torch

import locnet.runtime.fit
import locnet.train

COMMAND = [
    *("data.size=32", "data.train=64", "data.val=9", "data.test=9", "data.batch_size=8", "trainer.max_epochs=6"),
    *("backbone.name=test_resnet", "backbone.image_size=32", "backbone.drop_path_rate=0.1", "head.width=16"),
    *("head.dropout=0.2", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false", "logger=none"),
    "trainer.checkpoint_steps=2",
]
NOT_COMPUTED = ("seconds", "per_second", "git/")
GRACE = 10.0  # seconds after which a launcher (ours, or torchrun) ends what is left of a run


class Attempt:
    """One start of the command, as one or several processes."""

    def __init__(self, arguments: list[str], processes: int, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        world = {"WORLD_SIZE": str(processes), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        ranks = [{**world, "LOCAL_RANK": str(rank)} for rank in range(processes)] if processes > 1 else [{}]
        self.started = time.monotonic()
        self.pids = [fork(arguments, environment, log) for environment in ranks]
        self.codes: dict[int, int] = {}

    def alive(self) -> list[int]:
        """Processes that have not ended."""
        for pid in set(self.pids) - self.codes.keys():
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self.codes[pid] = os.waitstatus_to_exitcode(status)
        return [pid for pid in self.pids if pid not in self.codes]

    def wait(self, seconds: float) -> bool:
        """Whether all end within that time."""
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.alive()

    def kill(self, pids: list[int]) -> None:
        """SIGKILL to the processes and their loaders' workers."""
        for pid in pids:
            os.killpg(pid, signal.SIGKILL)


def fork(arguments: list[str], environment: dict[str, str], log: Path) -> int:
    """Type the command in a process of its own."""
    pid = os.fork()
    if pid == 0:
        command(arguments, environment, log)
    return pid


def command(arguments: list[str], environment: dict[str, str], log: Path) -> NoReturn:
    """What `python -m locnet.train ARGUMENTS` does after its imports."""
    code: Any = 70
    try:
        os.setsid()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.environ |= environment
        sys.argv = ["locnet.train", *arguments]
        locnet.train.main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def arguments_of(run: Path, seed: int, processes: int, *, workers: int) -> list[str]:
    """The command line of a run, or of its resumption."""
    if (run / "config.yaml").is_file():
        return [f"resume={run}"]
    several = ["trainer=ddp_sim"] if processes > 1 else []
    return [*several, *COMMAND, f"seed={seed}", f"data.num_workers={workers}", f"hydra.run.dir={run}"]


def result(run: Path) -> dict[str, Any]:
    """All that a run leaves behind, without the clock."""
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    tensors = {f"best {name}": value for name, value in best.items()}
    for part in ("state_dict", "raw_state_dict"):
        tensors |= {f"{part} {name}": value for name, value in content[part].items()}
    for number, state in content["optimizer_states"][0]["state"].items():
        tensors |= {f"optimizer {number} {name}": torch.as_tensor(value) for name, value in state.items()}
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    metrics = json.loads((run / "metrics.json").read_text())
    timeless = [
        {k: v for k, v in row.items() if not any(word in k for word in NOT_COMPUTED)} for row in [*rows, metrics]
    ]
    return {"tensors": tensors, "rows": timeless, "predictions": pq.read_table(run / "predictions.parquet").to_pydict()}


def differences(run: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    """Names of what is not the same to the last bit."""
    if run["tensors"].keys() != whole["tensors"].keys():
        return ["names of tensors"]
    found = [name for name, value in run["tensors"].items() if not torch.equal(value, whole["tensors"][name])]
    found += [name for name in ("rows", "predictions") if repr(run[name]) != repr(whole[name])]
    return found


class Campaign:
    """Runs that are killed and resumed until enough kills are counted."""

    def __init__(self, folder: Path, *, kills: int, per_run: int, seed: int) -> None:
        self.folder, self.kills, self.per_run = folder, kills, per_run
        self.dice = random.Random(seed)
        self.targets: Counter[str] = Counter()
        self.phases: Counter[str] = Counter()
        self.runs: list[dict[str, Any]] = []
        self.fastest: dict[int, float] = {}

    def whole(self, processes: int, seed: int, workers: int) -> tuple[dict[str, Any], float]:
        """The run that is never killed, and how long it takes."""
        run = self.folder / f"whole-{processes}-{seed}"
        started = time.monotonic()
        attempt = Attempt(arguments_of(run, seed, processes, workers=workers), processes, run.with_suffix(".log"))
        if not attempt.wait(900) or any(attempt.codes.values()):
            sys.exit(f"the run that is never killed failed: {run.with_suffix('.log').read_text()[-2000:]}")
        return result(run), time.monotonic() - started

    def killed(
        self, processes: int, seed: int, number: int, workers: int, seconds: float, whole: dict[str, Any]
    ) -> None:
        """One run, killed several times."""
        run = self.folder / f"killed-{processes}-{number}"
        log, kills = run.with_suffix(".log"), 0
        left = min(self.per_run, self.kills - sum(r["kills"] for r in self.runs if r["processes"] == processes))
        while True:
            attempt = Attempt(arguments_of(run, seed, processes, workers=workers), processes, log)
            # a machine that has become faster since the whole run would hardly ever be killed in time
            limit = min(seconds, self.fastest.get(processes, seconds))
            if kills < left and not attempt.wait(self.dice.uniform(0.02, 0.8) * limit):
                target = self.dice.choice(["all", "first", "other"] if processes > 1 else ["all"])
                pids = {"all": attempt.pids, "first": attempt.pids[:1], "other": attempt.pids[1:]}[target]
                self.phases[phase(run)] += 1
                attempt.kill(pids)
                self.targets[f"{processes}: {target}"] += 1
                kills += 1
                if not attempt.wait(GRACE):  # it waits for the others to come: its launcher ends it
                    self.targets["ended by the launcher"] += 1
                    attempt.kill(attempt.alive())
                    attempt.wait(GRACE)
                continue
            if not attempt.wait(900) or any(attempt.codes.values()):
                sys.exit(f"{run}: could not be resumed: {log.read_text()[-3000:]}")
            self.fastest[processes] = min(limit, time.monotonic() - attempt.started)
            break
        wrong = differences(result(run), whole)
        self.runs.append({"processes": processes, "seed": seed, "kills": kills, "differences": wrong[:5]})
        print(f"{processes} process(es), run {number}: {kills} kills, {len(wrong)} differences", flush=True)

    def go(self, processes: int, workers: int) -> None:
        """Runs of one kind until there are enough kills; every other one has another seed."""
        known: dict[int, tuple[dict[str, Any], float]] = {}
        number = 0
        while sum(run["kills"] for run in self.runs if run["processes"] == processes) < self.kills:
            seed = number % 2
            known[seed] = known.get(seed) or self.whole(processes, seed, workers)
            whole, seconds = known[seed]
            self.killed(processes, seed, number, workers, seconds, whole)
            number += 1


def phase(run: Path) -> str:
    """Where a run was when it was killed, for the record."""
    if not (run / "config.yaml").is_file():
        return "before it had a directory"
    if not (run / "checkpoints" / "last.ckpt").is_file():
        return "before its first checkpoint"
    if (run / "metrics.json").is_file():
        return "after its results"
    rows = len((run / "history.jsonl").read_text().splitlines()) if (run / "history.jsonl").is_file() else 0
    return f"in epoch {rows}"


def main() -> None:
    """Print a line a run, and everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25, help="of runs of one process, and as many of runs of two")
    parser.add_argument("--kills-per-run", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, help="where the runs go; a temporary one unless given")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["LOCNET_CACHE"] = str(folder / "cache")
        campaign = Campaign(folder, kills=arguments.kills, per_run=arguments.kills_per_run, seed=arguments.seed)
        started = time.monotonic()
        for processes in arguments.processes:
            campaign.go(processes, workers=1 if processes == 1 else 0)
        same = sum(run["kills"] for run in campaign.runs if not run["differences"])
        kills = sum(run["kills"] for run in campaign.runs)
        summary = {
            "kills": kills,
            "kills_of_runs_that_ended_in_the_same_bits": same,
            "runs": len(campaign.runs),
            "killed": dict(sorted(campaign.targets.items())),
            "phases": dict(sorted(campaign.phases.items())),
            "minutes": round((time.monotonic() - started) / 60, 1),
            "torch": torch.__version__,
        }
        print(json.dumps(summary, indent=2))
        sys.exit(0 if same == kills else 1)


if __name__ == "__main__":
    main()
