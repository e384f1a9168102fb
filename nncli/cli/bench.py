"""`nn bench`."""

from typing import Annotated, Any

import typer

from nncli.cli.options import Json, Trust, Words
from nncli.output import as_json, say

Steps = Annotated[int, typer.Option(min=20, help="Optimizer steps of each loop and round.")]
Rounds = Annotated[int, typer.Option(min=1, help="The number of rounds; each loop runs once a round.")]
Peers = Annotated[bool, typer.Option("--peers", help="Also time plain Lightning, and Keras if it is installed.")]

FIXED = ("test=false", "trainer.max_epochs=100000", "trainer.devices=1", "trainer.strategy=auto")
ONCE = (
    "trainer.accumulate=1",
    "trainer.early_stopping=null",
    "trainer.val_every=100000",
)  # no loop stops to evaluate
MADE = ("data=shapes", "data.size=12000", "data.batch_size=128")  # generated images of the size of MNIST's
CNN = ("model=cnn", "model.channels=[32,64]", "optimizer=adam", "regularization=none", "trainer.channels_last=true")


def bench(
    words: Words = None,
    steps: Steps = 200,
    rounds: Rounds = 3,
    peers: Peers = False,
    json: Json = False,
    trust: Trust = None,
) -> None:
    """Compare the training speed of nn with that of a bare and a plain PyTorch loop, in one process.

    Without words, a small convolutional net is trained on generated images of the size of MNIST's.

    \b
    nn bench recipe=digits_mlp
    """
    from nncli.bench.loops import CONTENDERS, compete, medians
    from nncli.bench.peers import peers as others
    from nncli.config.compose import compose
    from nncli.run.fit import prepared
    from nncli.run.screen import Screen

    screen = Screen("quiet")
    config = compose([*(words or MADE + CNN), *FIXED, *ONCE, f"trainer.max_steps={steps}"], trust=trust or ())
    config, parts = prepared(config, screen)
    contenders = CONTENDERS | (others(screen.warn) if peers else {})
    facts = {
        "config": config.name,
        "where": str(parts.where),
        "batch_size": parts.data.batch_size,
        "steps": steps,
        "rounds": rounds,
        "loops": medians(compete(config, parts.data, contenders, steps, rounds)),
    }
    if json:
        say(as_json(facts))
    else:
        _show(facts)


def _show(facts: dict[str, Any]) -> None:
    head = f"{facts['config']} · {facts['where']} · batches of {facts['batch_size']}"
    say(f"{head} · median of {facts['rounds']} rounds of {facts['steps']} steps")
    say(f"  {'loop':<10}{'samples/s':>11}{'ms/step':>9}{'nn is':>9}{'first step':>12}{'data wait':>11}{'peak MB':>9}")
    for name, loop in facts["loops"].items():
        say(
            f"  {name:<10}{loop['samples_per_s']:>11,.0f}{loop['step_ms']:>9.2f}{loop['nn_times']:>8.2f}×"
            f"{loop['first_step_s']:>10.2f} s{loop['waiting']:>11.1%}{loop['peak_mb']:>9,.0f}"
        )
