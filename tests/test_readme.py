"""What the README tells people to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.schema import EvaluateSettings, PredictSettings, Settings, TrainSettings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines() if line]
COMMANDS = [shlex.split(line, comments=True) for line in LINES]
SCHEMAS: dict[str, type[Settings]] = {"train": TrainSettings, "evaluate": EvaluateSettings, "predict": PredictSettings}


def test_every_line_is_of_a_kind_that_is_tested() -> None:
    assert len(COMMANDS) >= 8
    for command in COMMANDS:
        assert command[0] == "make" or command[:2] == ["python", "-m"], command


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "make"], ids=" ".join)
def test_make_targets_exist(command: list[str]) -> None:
    assert re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "python"], ids=" ".join)
def test_commands_compose_and_pass_the_schema(command: list[str]) -> None:
    name = command[2].removeprefix("locnet.")
    overrides = [text for text in command[3:] if not text.startswith("-")]
    if "-m" in command[3:]:  # a sweep: its first job
        overrides = [text.partition(",")[0] for text in overrides]
    check(compose(name, overrides), SCHEMAS[name])


@pytest.mark.slow
def test_the_way_from_photos_to_predictions(manifest: Callable[..., Path], tmp_path: Path) -> None:
    photos = manifest(tmp_path / "photos")
    words = {"PHOTOS": str(photos), "RUN": "first", "backbone.pretrained=true": "backbone.norm_eval=false"}
    tiny = ["backbone.name=lcnet_035", "backbone.image_size=64", "data.batch_size=4", "data.num_workers=0"]
    tiny += ["trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=none", "hydra.run.dir=first"]
    started = [c for c in COMMANDS if "experiment=finetune" in c or c[2:3] in (["locnet.evaluate"], ["locnet.predict"])]
    assert len(started) == 3
    for command in started:
        typed = " ".join(command)
        for word, meant in words.items():
            typed = re.sub(rf"\b{word}\b", meant, typed)
        arguments = [sys.executable, *shlex.split(typed)[1:], *(tiny if "locnet.train" in typed else [])]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(arguments, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
