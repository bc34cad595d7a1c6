"""LiteLLM's proxy, before one upstream that speaks OpenAI's chat completions, whatever the model is called."""

from __future__ import annotations

import re
from typing import Final

from streamkit.contract.proxies.proxy import Proxy, Variant

__all__ = ["LITELLM"]

CONFIG: Final = """\
model_list:
  - model_name: "*"
    litellm_params:
      model: "openai/*"
      api_base: "http://${upstream_authority}/v1"
      api_key: "no-secret"
litellm_settings:
  num_retries: 0
  telemetry: false
router_settings:
  num_retries: 0
  disable_cooldowns: true
general_settings:
  dangerously_permit_weak_or_unset_master_key: true  # it is on loopback, for minutes, and has no secrets
"""

LITELLM: Final = Proxy(
    name="litellm",
    programs=("litellm",),
    package="pip install 'litellm[proxy]'",
    arguments=(
        *("--config", "${directory}/litellm.yaml"),
        *("--host", "127.0.0.1", "--port", "${port}"),
        *("--num_workers", "1", "--telemetry", "False"),
    ),
    files={"litellm.yaml": CONFIG},
    environment={
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it asks GitHub for prices when it starts
        "LITELLM_TELEMETRY": "False",
        "DISABLE_ADMIN_UI": "True",
        "NO_DOCS": "True",
        "NO_PROXY": "127.0.0.1,localhost",
    },
    version_arguments=("--version",),
    version=re.compile(r"Version\s*=\s*(\S+)"),
    variants=(Variant("default", "one upstream, no retries, no cooldowns, no telemetry", profile="gateway"),),
    patience_s=180.0,
    beside=1,  # its one worker is slow, and one long line holds all others up
)
