"""CIFAR-100 (Krizhevsky 2009): 50,000 and 10,000 photographs of 32x32 in a hundred classes."""

from typing import ClassVar

from nncli.data.sources.cifar10 import Cifar10, Published


class Cifar100(Cifar10):
    """In the same forms as CIFAR-10; the labels are the hundred fine ones."""

    published: ClassVar = Published(
        url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        md5="03b5dce01913d631647c71ecec9e9cb8",
        folder="cifar-100-binary",
        train=("train.bin",),
        test=("test.bin",),
        names="fine_label_names.txt",
        labels=2,
    )
