"""Shapes of Envoy's configuration."""

# A piece of configuration, as YAML has it. Envoy itself checks it (`envoy --mode validate`).
Config = dict[str, object]

EXTENSIONS = "type.googleapis.com/envoy.extensions"


def typed(name: str, **fields: object) -> Config:
    """A message of one of Envoy's extensions, by its name below `envoy.extensions.`."""
    return {"@type": f"{EXTENSIONS}.{name}", **fields}
