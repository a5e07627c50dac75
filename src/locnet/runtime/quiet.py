"""Other packages' lines that tell a user of locnet nothing, each with its reason."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from locnet.runtime.rundir import is_main_process

_MESSAGES = (
    ".*does not have many workers.*",  # num_workers is chosen by data.num_workers and printed
    ".*The number of training batches.*",  # small data sets are our users' normal case
    ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
    ".*sync_dist=True.*",  # our values are reduced before they are logged
    ".*was called before the ``update`` method.*",  # a process that a split has no image for
    ".*your dataloader is not resumable.*",  # the sampler is: LabelledImagesModule.load_state_dict
    ".*Detected call of `lr_scheduler.step\\(\\)` before.*",  # Lightning's order under gradient scaling
    ".*isinstance\\(treespec, LeafSpec\\).*",  # torch's own deprecation, raised inside Lightning 2.6
    ".*`srun` command is available.*",  # a machine that has SLURM; docs/cluster.md says how to start under it
    ".*Found .* module\\(s\\) in eval mode.*",  # backbone.freeze=true keeps its statistics on purpose
    ".*Experiment logs directory .* exists and is not empty.*",  # logger=csv on resume
    ".*FSDP2-wrapped module .* returned a view tensor.*",  # losses change nothing in place
)
_CHATTY = (
    "pytorch_lightning.utilities.rank_zero",
    "pytorch_lightning.accelerators.cuda",
    "lightning_fabric",
    "aiobotocore",  # of S3: where it found keys, once for each process
    "botocore",
)
_DECODER = "PIL"  # of damaged files, without their names; what cannot be read is said by us


@contextmanager
def quiet() -> Iterator[None]:
    """Leave those lines out for a while; everything else, and all errors, still come through.

    Of several processes only the first says what it does.
    """
    chatty = _CHATTY if is_main_process() else (*_CHATTY, "locnet")
    quieter = {**dict.fromkeys(chatty, logging.WARNING), _DECODER: logging.CRITICAL}
    levels = {name: logging.getLogger(name).level for name in quieter}
    with warnings.catch_warnings():
        for message in _MESSAGES:
            warnings.filterwarnings("ignore", message=message)
        warnings.filterwarnings("ignore", module=_DECODER)
        for name, level in quieter.items():
            logging.getLogger(name).setLevel(level)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
