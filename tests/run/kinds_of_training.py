"""Kinds of training whose resume is tried at every moment: small enough to be ended a thousand times."""

_SIZE = ["model.width=8", "data.batch_size=32", "trainer.limit_batches=3", "trainer.max_epochs=3"]
_SAVES = ["trainer.log_every=2", "checkpoint.every_n_steps=2"]
_SMALL = [*_SIZE, *_SAVES, "trainer.precision=32", "trainer.threads=1"]

KINDS: dict[str, list[str]] = {
    "plain": [*_SMALL, "regularization.dropout=0.2"],
    "early_stopping": [*_SMALL, "regularization.early_stopping=1", "optimizer.lr=0.03", "trainer.max_epochs=6"],
    "max_steps": [*_SMALL, "trainer.max_steps=5", "scheduler=constant"],
    "plateau": [*_SMALL, "scheduler=plateau", "scheduler.patience=0", "scheduler.factor=0.5", "optimizer.lr=0.05"],
    "accumulation": [*_SMALL, "trainer.accumulate=2", "checkpoint.every_n_steps=1"],
    "ema": [*_SMALL, "regularization.ema=0.9", "regularization.grad_clip=1.0"],
    "swa": [*_SMALL, "regularization.swa=0.5"],
    "schedule_free": [*_SMALL, "optimizer=schedule_free", "scheduler=constant"],
    "mixup": [*_SMALL, "transform=mixup"],
    "balanced_sampling": [*_SMALL, "loader.sampling=balanced"],
    "muon": [*_SMALL, "optimizer=muon"],
    "lbfgs": [*_SMALL, "optimizer=lbfgs", "scheduler=constant"],
    "val_every": [*_SMALL, "trainer.val_every=2", "checkpoint.keep=2"],
    "cosine_restarts": [*_SMALL, "scheduler=cosine_restarts", "checkpoint.every_n_steps=null"],
}
