"""Several processes are started once, and end together."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from locnet.errors import ConfigError, DataError
from locnet.module import LocalizerModule
from locnet.runtime.ranks import Launcher, ProcessDiedError, check_launch, lost_peer
from locnet.runtime.unused import freeze_unused

TORCHRUN = {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}


@pytest.mark.parametrize(
    ("trainer", "environment", "said"),
    [
        ({"devices": 1, "num_nodes": 1}, TORCHRUN, "started 4 processes, .*devices=1 and trainer.num_nodes=1 make 1"),
        ({"devices": [0, 1], "num_nodes": 1}, TORCHRUN, "set trainer.devices=2 trainer.num_nodes=2"),
        ({"devices": 2, "num_nodes": 2}, TORCHRUN, None),
        ({"devices": "auto", "num_nodes": 1}, TORCHRUN, None),
        (
            {"devices": 2, "num_nodes": 1},
            {"LOCAL_RANK": "0"},
            "wait for processes that nobody starts; unset LOCAL_RANK",
        ),
        ({"devices": 1, "num_nodes": 1}, {"LOCAL_RANK": "0"}, None),
        ({"devices": 8, "num_nodes": 1}, {}, None),
    ],
)
def test_a_double_launch_is_explained(trainer: dict[str, Any], environment: dict[str, str], said: str | None) -> None:
    if said is None:
        check_launch(trainer, environment)
    else:
        with pytest.raises(ConfigError, match=said):
            check_launch(trainer, environment)


class Started(Launcher):
    """Starts any program as the second process."""

    def __init__(self, program: str) -> None:
        super().__init__(LightningEnvironment(), 2, 1)
        self.program = program

    def _call_children_scripts(self) -> None:
        self.procs = [subprocess.Popen([sys.executable, "-c", self.program])]


def wait_and_lose() -> None:
    time.sleep(1)
    raise RuntimeError("[../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4242")


def test_the_exit_code_of_the_process_that_died_is_the_run_s() -> None:
    with pytest.raises(
        ProcessDiedError, match="process 1 of this run ended with exit code 2; its message stands above"
    ) as e:
        Started("raise SystemExit(2)").launch(wait_and_lose)
    assert e.value.exit_code == 2
    with pytest.raises(ProcessDiedError, match="process 1 of this run was ended by signal 9") as e:
        Started("import os; os.kill(os.getpid(), 9)").launch(wait_and_lose)
    assert e.value.exit_code == 137


def test_an_error_of_the_first_process_is_its_own() -> None:
    def fail() -> None:
        raise DataError("a.png: not an image")

    launcher = Started("import time; time.sleep(0.5); raise SystemExit(70)")
    with pytest.raises(DataError, match=r"a.png"):
        launcher.launch(fail)
    assert launcher.procs[0].poll() == 70


def test_a_process_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locnet.runtime.ranks._GRACE", 0.3)
    launcher = Started("import time; time.sleep(60)")
    started = time.monotonic()
    with pytest.raises(ProcessDiedError, match="another process of this run has died"):
        launcher.launch(wait_and_lose)
    launcher.procs[0].wait(5)
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_a_first_process_that_waits_for_ever_is_ended() -> None:
    """As with NCCL: it sits in a collective and hears of nothing."""
    script = (
        "import time, locnet.runtime.ranks as r\n"
        "from tests_ranks import Started\n"
        "r._GRACE = 0.3\n"
        "Started('raise SystemExit(5)').launch(lambda: time.sleep(60))\n"
    )
    script = script.replace(
        "from tests_ranks import Started\n",
        f"import importlib.util as u; s = u.spec_from_file_location('t', {__file__!r})\n"
        "m = u.module_from_spec(s); s.loader.exec_module(m); Started = m.Started\n",
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 5
    assert done.stderr.strip().splitlines()[-1] == (
        "error: process 1 of this run ended with exit code 5; its message stands above"
    )


def test_which_errors_mean_that_another_process_is_gone() -> None:
    assert lost_peer(RuntimeError("Connection reset by peer"))
    assert lost_peer(torch.distributed.DistBackendError("NCCL communicator was aborted"))
    assert not lost_peer(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not lost_peer(ValueError("Connection reset by peer"))


def test_parameters_without_gradient_are_found_and_left_out(tiny_model: Callable[..., dict[str, Any]]) -> None:
    module = LocalizerModule(classes=("a", "b"), model=tiny_model())
    module.model.head.register_parameter("spare", torch.nn.Parameter(torch.ones(3)))
    before = {name: value.clone() for name, value in module.model.state_dict().items()}
    state = torch.get_rng_state()
    assert freeze_unused(module) == ["head.spare"]
    assert [name for name, p in module.model.named_parameters() if not p.requires_grad] == ["head.spare"]
    assert all(torch.equal(value, before[name]) for name, value in module.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in module.model.parameters())
