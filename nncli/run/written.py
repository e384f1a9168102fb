"""The names of all that nn writes into a run's folder, beside its marker: nothing else there is its to delete."""

import re

from nncli.paths import RUN_FILES

FILES = f"(?:{'|'.join(map(re.escape, RUN_FILES))})"
CHECKPOINTS = r"(?:(?:best|last|step-\d{9,}|\.new-\d{9,})\.ckpt)"
HALF_WRITTEN = rf"\.{FILES}\.\d+\.tmp|checkpoints/(?:\.{CHECKPOINTS}\.\d+\.tmp|\.new-\d{{9,}}\.ckpt)"
