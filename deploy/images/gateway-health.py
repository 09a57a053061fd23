#!/opt/shuanglu/venv/bin/python
"""Ends with 0 if Envoy's operations port says that it is alive."""

import os
import urllib.request

port = os.environ["SHUANGLU_GATEWAY_OPS_PORT"]
urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
