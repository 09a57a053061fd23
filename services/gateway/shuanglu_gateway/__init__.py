"""The gateway: an Envoy configuration made from settings and from the contracts' descriptor."""
