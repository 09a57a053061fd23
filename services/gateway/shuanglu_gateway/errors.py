"""What can go wrong while the configuration is made.

GatewayError
├── DescriptorInvalid   the contracts' descriptor is missing, damaged or incomplete
└── ConsoleInvalid      the console's folder holds what cannot be served
"""


class GatewayError(Exception):
    """The configuration could not be made; the message is for the operator."""

    help = ""


class DescriptorInvalid(GatewayError):
    """The contracts' descriptor is missing, damaged or incomplete."""

    help = "run `make proto` and point SHUANGLU_GATEWAY_DESCRIPTOR_FILE at build/descriptors/shuanglu.pb"


class ConsoleInvalid(GatewayError):
    """The console's folder holds what cannot be served."""

    help = "build the console again and point SHUANGLU_GATEWAY_CONSOLE_DIR at what it makes"
