# SPDX-License-Identifier: Apache-2.0
"""Everything that one test starts, and its end: clients and origins close, gateways must exit with
nothing alive. The usual gateway has one listener `main`, one cluster `app` and one route `all`."""
import copy
import os
import shutil
import tempfile

from support.gateway import Gateway
from support.h2peer import H2Origin, H2ServingOrigin
from support.origin import Blackhole, Origin, ServingOrigin


def endpoints(*origins):
    return {"endpoints": [{"address": o if isinstance(o, str) else o.address} for o in origins]}


def merge(base, extra):
    """`base` with `extra` laid over it, mapping by mapping."""
    merged = copy.deepcopy(base)
    for key, value in extra.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def config_for(*origins, listener=None, cluster=None, route=None, **top):
    """The usual config in front of `origins`, with the keys that the test is about."""
    base = {
        "listeners": {"main": {"address": "127.0.0.1:0"}},
        "clusters": {"app": {**endpoints(*origins)}},
        "routes": [merge({"name": "all", "target": {"cluster": "app"}}, route or {})],
    }
    return merge(base, {"listeners": {"main": listener or {}},
                        "clusters": {"app": cluster or {}}, **top})


class Lab:
    def __init__(self):
        self._closables = []
        self._gateways = []
        self._directory = None

    def keep(self, thing):
        self._closables.append(thing)
        return thing

    def path(self, name):
        """A short path for a socket or a file."""
        if not self._directory:
            self._directory = tempfile.mkdtemp(prefix="weir-lab-")
        return os.path.join(self._directory, name)

    def origin(self, **where):
        return self.keep(Origin(**where))

    def serving(self, handler=None, **where):
        return self.keep(ServingOrigin(handler, **where))

    def h2_origin(self, **how):
        return self.keep(H2Origin(**how))

    def h2_serving(self, handler=None, **how):
        return self.keep(H2ServingOrigin(handler, **how))

    def blackhole(self):
        return self.keep(Blackhole())

    def gateway(self, config, **rest):
        gateway = Gateway(config, **rest)
        self._gateways.append(gateway)
        return gateway

    def relay(self, *origins, **changes):
        """A gateway with the usual config in front of `origins`."""
        return self.gateway(config_for(*origins, **changes))

    def client(self, gateway, name="main", **rest):
        return self.keep(gateway.client(name, **rest))

    def h2_client(self, gateway, name="main", **rest):
        return self.keep(gateway.h2_client(name, **rest))

    def pair(self, **changes):
        """(client, origin, gateway) of the usual kind."""
        origin = self.origin()
        gateway = self.relay(origin, **changes)
        return self.client(gateway), origin, gateway

    def close(self, failed=False):
        faults = []
        for thing in reversed(self._closables):
            try:
                thing.close()
            except AssertionError as fault:
                faults.append(fault)
        for gateway in self._gateways:
            try:
                gateway.stop()
            except Exception as fault:  # each gateway must be ended, whatever the others did
                faults.append(fault)
            finally:
                if failed or faults:
                    print(f"---- stderr of {gateway.file}\n" + gateway.stderr_text())
                gateway.destroy()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
        if faults and not failed:
            raise faults[0]
