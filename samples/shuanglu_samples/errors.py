"""What can go wrong while samples are made.

SampleError
├── PackageUnavailable   a registry, its client or a hash
├── UnknownVariant       no variant of that name
├── UnspeakableText      a character that has no Mandarin reading
└── UnreadableData       a picture of the package is missing or damaged
"""


class SampleError(Exception):
    """Base of all errors of this package; `diagnostics()` says what a person should do now."""

    def diagnostics(self) -> str:
        return "Run the command again; if it fails in the same way, report it."


class PackageUnavailable(SampleError):
    """A pinned package could not be had from its registry."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"package {name} is not available: {why}")

    def diagnostics(self) -> str:
        return "Check that pip and npm reach their registries (pip download, npm pack), then run the command again."


class UnknownVariant(SampleError):
    """A variant that the script does not have."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"unknown variant {name}; known: {', '.join(known)}")

    def diagnostics(self) -> str:
        return "Use one of the known names, or --all."


class UnspeakableText(SampleError):
    """Text with characters that Mandarin phonemes cannot be made of."""

    def __init__(self, text: str) -> None:
        super().__init__(f"no Mandarin reading for {text!r}")

    def diagnostics(self) -> str:
        return "Write numbers and Latin letters as Chinese words."


class UnreadableData(SampleError):
    """A file of this package that cannot be read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"cannot read {name}")

    def diagnostics(self) -> str:
        return "Install the package again; its data files are damaged."
