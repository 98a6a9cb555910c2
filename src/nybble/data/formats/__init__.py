"""The formats of rows, one small class each, and the choice between them.

text               {"text": ...}, learnt as a whole
prompt-completion  {"prompt": ..., "completion": ...}, or templates of any columns
alpaca             {"instruction": ..., "input": ..., "output": ...}
sharegpt           {"conversations": [{"from": "human", "value": ...}, ...]}
messages           {"messages": [{"role": "user", "content": ...}, ...]}
"""

from nybble.data.formats.base import Format
from nybble.data.formats.choice import choose_format

__all__ = ["Format", "choose_format"]
