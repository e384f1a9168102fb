"""The names of all files that nn writes into a run's folder, except its marker: it deletes no others there."""

import re

from nncli.paths import PLOTS, RUN_FILES

FILES = f"(?:{'|'.join(map(re.escape, RUN_FILES))})"
CHECKPOINTS = r"(?:(?:best|last|step-\d{9,}|\.new-\d{9,})\.ckpt)"
PLOT = r"shrink\.png"
HALF_WRITTEN = (
    rf"\.{FILES}\.\d+\.tmp|checkpoints/(?:\.{CHECKPOINTS}\.\d+\.tmp|\.new-\d{{9,}}\.ckpt)|{PLOTS}/\.{PLOT}\.\d+\.tmp"
)
