"""Reading files: containers and codecs in, tracks and segments out, in a process of its own."""
