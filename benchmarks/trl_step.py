"""TRL's training step, timed on demand: run by `cpu_step.py`, in TRL's environment.

    .venv-peers/bin/python benchmarks/trl_step.py JOB.json

JOB names the model folder, LoRA's settings, the rows of each step (token ids and labels) and the
threads. Every line on standard input asks for so many steps more; the answer is their seconds.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import datasets
import torch
import transformers
import trl
from peft import LoraConfig

FOUR_BITS = {
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_compute_dtype": torch.float32,
}


class Clock(transformers.TrainerCallback):
    """Times every step, and waits before the next until it is asked for."""

    def __init__(self) -> None:
        self.wanted = 0
        self.seconds: list[float] = []

    def on_step_begin(self, args, state, control, **_):  # type: ignore[no-untyped-def]
        while not self.wanted:
            line = sys.stdin.readline()
            if not line:
                os._exit(0)
            self.wanted = int(line)
        self.began = time.perf_counter()

    def on_step_end(self, args, state, control, **_):  # type: ignore[no-untyped-def]
        self.seconds.append(time.perf_counter() - self.began)
        self.wanted -= 1
        if not self.wanted:
            print(json.dumps(self.seconds), flush=True, file=answers)
            self.seconds = []


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(job["threads"])
    model = transformers.AutoModelForCausalLM.from_pretrained(
        job["model"],
        quantization_config=transformers.BitsAndBytesConfig(**FOUR_BITS),
        dtype=torch.float32,
        device_map={"": "cpu"},
    )
    rows = [row for step in job["steps"] for row in step]
    with tempfile.TemporaryDirectory() as folder:
        settings = trl.SFTConfig(
            folder,
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=len(job["steps"][0]),
            max_steps=len(job["steps"]),
            max_length=None,
            gradient_checkpointing=False,
            optim="adamw_torch_fused",
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = trl.SFTTrainer(
            model,
            settings,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=transformers.AutoTokenizer.from_pretrained(job["model"]),
            peft_config=LoraConfig(**job["lora"], task_type="CAUSAL_LM"),
            callbacks=[Clock()],
        )
        trainer.train()


if __name__ == "__main__":
    # Libraries print what they like: the answers go out where nothing else does.
    answers = os.fdopen(os.dup(1), "w")
    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    with contextlib.redirect_stdout(sys.stderr):
        main()
