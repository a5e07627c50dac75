"""A network in shares trains, saves, goes on and is tested as a whole one is: two real processes, on the CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from locnet.callbacks.history import read_history
from locnet.config.defaults import data_settings
from locnet.data.datamodule import LabelledImagesModule
from locnet.runtime.checkpoints import load_module
from locnet.runtime.storage import is_damaged

SCRIPT = Path(__file__).with_name("sharded.py")
STATES = ("state_dict", "raw_state_dict")

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*srun.*"),
]


@pytest.fixture(scope="module")
def root(manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "scenes", train=25, val=5, test=7)


@pytest.fixture(scope="module")
def output(
    run_script: Callable[..., None],
    tiny_model: Callable[..., dict[str, Any]],
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    output = tmp_path_factory.mktemp("runs")
    settings = tiny_model(image_size=32)
    settings["head"]["dropout"] = 0.2
    (output / "model.json").write_text(json.dumps(settings))
    run_script(SCRIPT, root, output, timeout=600)
    return output


def checkpoint_of(output: Path, run: str, name: str = "last.ckpt") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(output / run / "checkpoints" / name, weights_only=True)
    return content


def rows_of(output: Path, run: str) -> list[dict[str, Any]]:
    clock = ("train/seconds", "train/images_per_second")
    return [{k: v for k, v in row.items() if k not in clock} for row in read_history(output / run / "history.jsonl")]


def test_it_trains_as_copies_do(output: Path) -> None:
    """The same gradients, clipped at the same norm, the same average, but for the order of the sums."""
    shares, copies = checkpoint_of(output, "shares"), checkpoint_of(output, "copies")
    for state in STATES:
        assert shares[state].keys() == copies[state].keys()
        for name, value in copies[state].items():
            torch.testing.assert_close(shares[state][name], value, rtol=1e-3, atol=1e-4, msg=name)
    assert len(rows_of(output, "shares")) == 3
    for row, other in zip(rows_of(output, "shares"), rows_of(output, "copies"), strict=True):
        assert row == pytest.approx(other, rel=1e-3)


def test_each_process_holds_a_share_and_all_know_the_norm_of_the_whole_gradient(output: Path) -> None:
    seen = json.loads((output / "seen.json").read_text())
    assert seen["copies"]["share"] == 1.0
    assert seen["shares"]["share"] == pytest.approx(0.5, abs=0.01)
    assert len(seen["copies"]["norms"]) == 9
    assert min(seen["copies"]["norms"]) > 0.5  # they were clipped
    assert seen["shares"]["norms"] == pytest.approx(seen["copies"]["norms"], rel=1e-3)


def test_when_weights_are_gathered_changes_nothing(output: Path) -> None:
    shares, kept = checkpoint_of(output, "shares"), checkpoint_of(output, "kept")
    for state in STATES:
        for name, value in shares[state].items():
            torch.testing.assert_close(kept[state][name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_a_run_that_is_broken_off_goes_on_bit_by_bit(output: Path) -> None:
    whole, broken = checkpoint_of(output, "whole"), checkpoint_of(output, "broken")
    for state in STATES:
        assert all(torch.equal(value, broken[state][name]) for name, value in whole[state].items())
    assert rows_of(output, "broken") == rows_of(output, "whole")


def test_checkpoints_are_whole_files_that_one_process_reads(output: Path, root: Path) -> None:
    """Sealed as all are; one process measures with them what two in shares did."""
    best = output / "shares" / "checkpoints" / "best.ckpt"
    assert not is_damaged(best)
    torn = output / "torn.ckpt"
    content = bytearray(best.read_bytes())
    content[len(content) // 2] ^= 1
    torn.write_bytes(content)
    assert is_damaged(torn)  # so the other was sealed
    data = data_settings("csv", root=str(root), batch_size=4, num_workers=0, resize="squash", cache="none")
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = pl.Trainer(accelerator="cpu", devices=1, **quiet)  # type: ignore[arg-type]
    [alone] = trainer.test(load_module(best), LabelledImagesModule(data, image_size=(32, 32)), verbose=False)
    together = json.loads((output / "seen.json").read_text())["test"]
    assert together == pytest.approx(dict(alone), abs=1e-6)


def test_weights_in_half_precision_have_their_average_in_single(output: Path) -> None:
    content = checkpoint_of(output, "halves")
    kinds = [{v.dtype for v in content[state].values() if v.is_floating_point()} for state in STATES]
    assert kinds == [{torch.float32}, {torch.bfloat16}]
