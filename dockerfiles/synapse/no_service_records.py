"""Answers every DNS query of Synapse's federation client with "no such name", at once.

Names of a run stand in each container's hosts file, and have no SRV records. Synapse asks DNS for them all the same
before each connection, and takes no answer (a machine without Internet) for a failure of the peer. The docker runtime
has a name server that knows this, but not on every machine; the image must not depend on it.
"""

from twisted.internet import defer
from twisted.names import client, common, error


class NoRecords(common.ResolverBase):
    """A Twisted resolver that knows no record of any kind."""

    def _lookup(self, name, cls, type, timeout):
        return defer.fail(error.DNSNameError(name))


class NoServiceRecords:
    """A Synapse module (configuration: modules) that puts NoRecords in the place of the DNS client."""

    def __init__(self, config, api):
        client.theResolver = NoRecords()

    @staticmethod
    def parse_config(config):
        return config
