"""What `nybble inspect` prints: the modules of a model, its bytes, and adapters of every size."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

STORAGE_TITLES = {
    "fp32": "fp32",
    "bf16": "bf16 or fp16",
    "int8": "int8",
    "nf4": "NF4",
    "nf4_nested": "NF4, nested",
}


def module_lines(modules: list[dict[str, Any]]) -> list[str]:
    """One line per module: name, shape, parameters of one copy; columns aligned."""
    rows = [(module["name"], _shape(module), _count(module)) for module in modules]
    name_width, shape_width, count_width = (
        max(map(len, column)) for column in zip(*rows, strict=True)
    )
    return [
        f"{name:<{name_width}}  {shape:<{shape_width}}  {count:>{count_width}}"
        for name, shape, count in rows
    ]


def bytes_lines(inspection: dict[str, Any]) -> list[str]:
    """How much the weights take in each storage."""
    return [
        f"{STORAGE_TITLES[storage]:<12}  {size / 1e9:>9,.3f} GB  {size:>16,} bytes"
        for storage, size in inspection["bytes"].items()
    ]


def lora_table(inspection: dict[str, Any]) -> Table:
    """Parameters and fp32 megabytes of the adapters for each rank (down) and target (across)."""
    sizes = {(entry["target_modules"], entry["r"]): entry for entry in inspection["lora"]}
    targets = list(dict.fromkeys(target for target, _ in sizes))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("LoRA r", justify="right", no_wrap=True)
    for target in targets:
        for heading in (target, "share", "MB"):
            table.add_column(heading, justify="right", no_wrap=True)
    for r in dict.fromkeys(r for _, r in sizes):
        cells = [_lora_cells(sizes[target, r]) for target in targets]
        table.add_row(str(r), *(cell for three in cells for cell in three))
    return table


def print_inspection(inspection: dict[str, Any]) -> None:
    """Everything, and the recipe's own adapters where a recipe was asked about."""
    print(f"{inspection['model']} ({inspection['model_type']})\n")
    print("\n".join(module_lines(inspection["modules"])))
    total, linears = inspection["parameters"], inspection["quantised_parameters"]
    print(f"\n{total:,} parameters. Quantising keeps their number: the {linears:,} weights in")
    print("linears take fewer bits; embedding, head, norms and biases stay at 16.\n")
    print("\n".join(bytes_lines(inspection)))
    Console(highlight=False).print(lora_table(inspection))
    if inspection["recipe"]:
        print(recipe_line(inspection["recipe"]))


def recipe_line(recipe: dict[str, Any]) -> str:
    """What the recipe itself would train."""
    lora = recipe["lora"]
    if lora is None and recipe["adapter"] is None:
        return f"{recipe['name']} trains no adapters, but every parameter."
    if lora is None:
        return f"{recipe['name']} goes on from {recipe['adapter']}: its rank and targets hold."
    targets = lora["target_modules"]
    named = targets if isinstance(targets, str) else ", ".join(targets)
    parameters, share, megabytes = _lora_cells(lora)
    return (
        f"{recipe['name']} trains r={lora['r']} on {named}: {parameters} parameters, {share} of "
        f"the model's number, {megabytes} MB in fp32."
    )


def _shape(module: dict[str, Any]) -> str:
    return f"{module['shape']}{' + bias' if module['bias'] else ''}"


def _count(module: dict[str, Any]) -> str:
    return "tied to embed_tokens" if module["tied"] else f"{module['parameters']:,}"


def _lora_cells(entry: dict[str, Any]) -> tuple[str, str, str]:
    return (
        f"{entry['parameters']:,}",
        f"{entry['share']:.3%}",
        f"{entry['adapter_bytes'] / 1e6:,.1f}",
    )
