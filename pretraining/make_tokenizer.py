"""Make the mini model's tokenizer: byte-level BPE, 2,048 tokens, 0 to 999 each one token.

python pretraining/make_tokenizer.py OUT
"""

import itertools
import json
import random
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from chat_text import conversation
from corpus import TEXTS

VOCABULARY = 2048
PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant', 'tool'] %}"
    "{{ raise_exception('unknown role ' + message['role']) }}"
    "{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
# Words with their leading space, runs of up to three digits, punctuation, white space.
SPLIT = Regex(r" ?[A-Za-z]+|\p{N}{1,3}| ?[^\s\p{N}A-Za-z]+|\s+(?!\S)|\s+")


def split_then_bytes() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(SPLIT, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def sample_texts(count: int) -> list[str]:
    """Texts in the corpus's proportions, their digits left out: numbers get tokens of their own."""
    rng = random.Random("tokenizer")
    makers, weights = [make for _, make in TEXTS], [weight for weight, _ in TEXTS]
    texts = [rng.choices(makers, weights)[0](rng) for _ in range(count)]
    texts += [m["content"] for _ in range(count // 10) for m in conversation(rng)]
    digits = str.maketrans(dict.fromkeys("0123456789", "\n"))
    return [text.translate(digits) for text in texts]


def learn_merges(size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level BPE vocabulary of `size` tokens over the sample, and its merges."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = split_then_bytes()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    learner.train_from_iterator(sample_texts(40_000), trainer)
    state = json.loads(learner.to_str())["model"]
    return state["vocab"], [tuple(pair) for pair in state["merges"]]


def make_tokenizer() -> PreTrainedTokenizerFast:
    specials = [PAD, BOS, EOS, *ROLES]
    numbers = [str(n) for n in range(10, 1000)]  # 0 to 9 are bytes
    learnt, merges = learn_merges(VOCABULARY - len(specials) - len(numbers))
    names = itertools.chain(specials, numbers, sorted(learnt, key=learnt.__getitem__))
    vocabulary = {token: i for i, token in enumerate(names)}
    # ignore_merges: a run of digits that is in the vocabulary is that token, as in Llama 3.
    bpe = models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = split_then_bytes()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, vocabulary[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        extra_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


if __name__ == "__main__":
    make_tokenizer().save_pretrained(Path(sys.argv[1]))
