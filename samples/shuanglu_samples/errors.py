"""What can go wrong while samples are made.

SampleError
├── PackageUnavailable   a registry, its client or a hash
├── UnknownVariant       no variant of that name
├── UnspeakableText      a character that has no Mandarin reading
└── UnreadableData       a file of this package is missing or damaged
"""

from typing import ClassVar


class SampleError(Exception):
    """Base of all errors of this package."""

    advice: ClassVar[str] = "Run the command again; if it fails in the same way, report it."

    def diagnostics(self) -> str:
        """What a person should do now."""
        return self.advice


class PackageUnavailable(SampleError):
    """A pinned package could not be had from its registry."""

    advice = "Check that pip and npm reach their registries (pip download, npm pack), then run the command again."

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"package {name} is not available: {why}")


class UnknownVariant(SampleError):
    """A variant that the script does not have."""

    advice = "Use one of the known names, or --all."

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"unknown variant {name}; known: {', '.join(known)}")


class UnspeakableText(SampleError):
    """Text with characters that Mandarin phonemes cannot be made of."""

    advice = "Write numbers and Latin letters as Chinese words."

    def __init__(self, text: str) -> None:
        super().__init__(f"no Mandarin reading for {text!r}")


class UnreadableData(SampleError):
    """A file that this package brings or pins cannot be read."""

    advice = "Install the package again and clear its cache; a data file is damaged."

    def __init__(self, name: str) -> None:
        super().__init__(f"cannot read {name}")
