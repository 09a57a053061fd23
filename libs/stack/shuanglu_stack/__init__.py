"""shuanglu on one machine: `EmbeddedStack` for tests and benchmarks, `python -m shuanglu_stack` for people."""

from shuanglu_stack.stack import EmbeddedStack, StackOptions

__all__ = ["EmbeddedStack", "StackOptions"]
