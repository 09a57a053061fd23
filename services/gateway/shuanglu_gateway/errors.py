"""What can go wrong while the configuration is made.

GatewayError
└── DescriptorInvalid   the contracts' descriptor is missing, damaged or incomplete
"""


class GatewayError(Exception):
    """The configuration could not be made; the message is for the operator."""

    help = ""


class DescriptorInvalid(GatewayError):
    """The contracts' descriptor is missing, damaged or incomplete."""

    help = "run `make proto` and point SHUANGLU_GATEWAY_DESCRIPTOR_FILE at build/descriptors/shuanglu.pb"
