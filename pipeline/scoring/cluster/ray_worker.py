"""What a worker of the Ray job does: it loads the model once, then scores one block after another."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.errors import SentimentError
from pipeline.inference import CONFIG_NAME, VOCABULARY_NAME, WEIGHTS_NAME, SentimentModel
from pipeline.scoring.cluster.blocks import Block
from pipeline.scoring.cluster.shard_folder import open_folder
from pipeline.scoring.cluster.shards import Record, Task, finished_record, score_block

MODEL_FILES = (CONFIG_NAME, WEIGHTS_NAME, VOCABULARY_NAME)

_models_loaded = 0  # by this process


def packed_model(folder: Path) -> dict[str, bytes]:
    """Return the files of a model folder, by name, as workers get them: no machine but the caller's needs the folder.

    Raises:
        SentimentError: one cannot be read.
    """
    try:
        return {name: (folder / name).read_bytes() for name in MODEL_FILES}
    except OSError as error:
        raise SentimentError(f"{folder}: cannot be read ({error.strerror}); copy the model folder whole") from error


def unpacked_model(files: Mapping[str, bytes]) -> SentimentModel:
    """Return the model of :func:`packed_model`, verified.

    Raises:
        SentimentError: it is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="sentiment-model-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return SentimentModel.load(Path(folder))


class BlockScorer:
    """A worker: scores the blocks that it is called with. Ray Data makes one in each of its processes.

    An error of a block is an answer, not an exception, so that the other blocks go on.

    Args:
        task: of the job.
        model: where the store of Ray keeps what :func:`packed_model` returned.
        cores: for this worker.
    """

    def __init__(self, task: Task, model: Any, cores: int = 1) -> None:
        import ray

        self._task = task
        self._stored_model = model
        self._cores = cores
        self._model: SentimentModel | None = None
        self._worker = f"{ray.get_runtime_context().get_node_id()[:12]}-{os.getpid()}"

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Score one block.

        Args:
            item: ``block``, in JSON.

        Returns:
            ``answer``, in JSON: the record with ``models_loaded``, or ``error`` and ``exit_code``.
        """
        block = Block.from_dict(json.loads(item["block"]))
        try:
            answer: Record = self._record_of(block)
        except SentimentError as error:
            answer = {"error": str(error), "exit_code": error.exit_code}
        except Exception as error:
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            answer = {"error": f"{block.shown()}: unexpected {type(error).__name__}: {reason}", "exit_code": 1}
        answer = {**answer, "number": block.number, "models_loaded": _models_loaded}
        return {"answer": json.dumps(answer)}

    def _record_of(self, block: Block) -> Record:
        """Score a block, unless a worker that died thereafter has put its shard in place."""
        if self._task.program != __version__:
            raise SentimentError(
                f"worker {self._worker}: has version {__version__} of this package, and the job {self._task.program}; "
                "install the same one on all machines"
            )
        folder = open_folder(self._task.output)
        record = finished_record(block, folder, self._task.key)
        return record or score_block(block, folder, self._task, self._loaded_model(), self._worker)

    def _loaded_model(self) -> SentimentModel:
        """Return the model, loaded with the first block: what is wrong with it is then the answer to that block."""
        global _models_loaded
        if self._model is None:
            import ray

            self._model = unpacked_model(ray.get(self._stored_model))
            self._model.threads = min(self._model.threads, self._cores - 1)
            _models_loaded += 1
        return self._model
