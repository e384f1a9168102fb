"""`nn eval`."""

from typing import Annotated, Literal

import typer

from nncli.cli.options import Json, Run, Trust, Words, named

Part = Annotated[Literal["train", "val", "test"], typer.Option(help="Which part of the data.")]
Which = Annotated[Literal["best", "last"], typer.Option(help="Which weights.")]


def judge(
    run: Run = "last",
    words: Words = None,
    part: Part = "test",
    which: Which = "best",
    json: Json = False,
    trust: Trust = None,
) -> None:
    """Judge a run's weights on a part of its data.

    \b
    nn eval last
    nn eval last --part val
    """
    import json as jsons

    from nncli.run import folder
    from nncli.run.restore import judged

    name, words = named(run, words)
    found = folder.find(name)
    results = judged(found, words, part=part, which=which, trust=trust or ())
    if json:
        print(jsons.dumps({"run": str(found.path), "part": part, "weights": which, "metrics": results}))
        return
    print(f"{found.name} · {which} weights · {part} part")
    for name, value in results.items():
        print(f"  {name:24} {value:.4f}")
