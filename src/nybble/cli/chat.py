"""`nybble chat`."""

from nybble.cli import sampling as options
from nybble.generation.sampling import Sampling


def chat(
    model: options.Speaking,
    base: options.Base = False,
    adapter: options.Adapter = None,
    system: options.System = None,
    temperature: options.Temperature = Sampling.temperature,
    top_p: options.TopP = Sampling.top_p,
    top_k: options.TopK = Sampling.top_k,
    repetition_penalty: options.RepetitionPenalty = Sampling.repetition_penalty,
    min_new_tokens: options.MinNewTokens = Sampling.min_new_tokens,
    max_new_tokens: options.MaxNewTokens = Sampling.max_new_tokens,
    beams: options.Beams = Sampling.beams,
    seed: options.Seed = Sampling.seed,
    stop: options.Stop = None,
) -> None:
    """Converse with a run or a model: /reset, /system TEXT, /base, /tuned, /quit.

    A run that was trained on prompts and completions takes each line as a prompt of its own.

    Example: nybble chat runs/chat-demo --temperature 0.7
    """
    sampling = Sampling(temperature, top_p, top_k, repetition_penalty, min_new_tokens,
                        max_new_tokens, beams, seed, tuple(stop or ()))  # fmt: skip
    from nybble.pipeline.chat import chat as converse
    from nybble.pipeline.inference import find_subject

    converse(find_subject(model, adapter, base), sampling, system)
