"""Answers every DNS query of Synapse's federation client immediately with "no such name".

The names of a run are in each container's hosts file and have no SRV records. Synapse still queries DNS for them before each
connection, and treats a missing response (on a machine without Internet access) as a failure of the peer. The docker runtime
has a name server that handles this, but not on every machine, and the image must not depend on it.
"""

from twisted.internet import defer
from twisted.names import client, common, error


class NoRecords(common.ResolverBase):
    """A Twisted resolver without any records."""

    def _lookup(self, name, cls, type, timeout):
        return defer.fail(error.DNSNameError(name))


class NoServiceRecords:
    """A Synapse module (configuration: modules) that replaces the DNS client with NoRecords."""

    def __init__(self, config, api):
        client.theResolver = NoRecords()

    @staticmethod
    def parse_config(config):
        return config
