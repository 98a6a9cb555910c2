"""TRL's own preparation of conversations, timed on demand: run by `data.py`, in TRL's environment.

    .venv-peers/bin/python benchmarks/trl_peer.py ROWS.jsonl TOKENIZER

For every line on standard input one round: all rows through `SFTTrainer._prepare_dataset`, with
the defaults of `SFTConfig` but for `assistant_only_loss`; the answer is a line of JSON. The model
is a tiny one: nothing of it takes part in the preparation.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import datasets
import transformers
import trl


def tiny_model() -> transformers.PreTrainedModel:
    config = transformers.Qwen2Config(
        vocab_size=151_936,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    return transformers.Qwen2ForCausalLM(config)


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
    messages = [{"messages": row["messages"]} for row in rows]
    tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        settings = trl.SFTConfig(
            folder, assistant_only_loss=True, use_cpu=True, bf16=False, report_to=[]
        )
        trainer = trl.SFTTrainer(
            tiny_model(),
            settings,
            train_dataset=datasets.Dataset.from_list(messages[:8]),
            processing_class=tokenizer,
        )
        print(json.dumps({"trl": trl.__version__}), flush=True, file=answers)
        for _ in sys.stdin:
            data = datasets.Dataset.from_list(messages)
            began, cpu = time.perf_counter(), time.process_time()
            made = trainer._prepare_dataset(data, tokenizer, settings, False, None, "train")
            found = {
                "seconds": time.perf_counter() - began,
                "cpu_seconds": time.process_time() - cpu,
            }
            tokens = sum(map(len, made["input_ids"]))
            scored = sum(label != -100 for labels in made["labels"] for label in labels)
            found |= {"rows": len(made), "tokens": tokens, "scored": scored}
            print(json.dumps(found), flush=True, file=answers)


if __name__ == "__main__":
    # Libraries print what they like: the answers go out where nothing else does.
    answers = os.fdopen(os.dup(1), "w")
    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    with contextlib.redirect_stdout(sys.stderr):
        main()
