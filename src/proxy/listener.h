// SPDX-License-Identifier: Apache-2.0
// A listener as the process owns it: its descriptors (one SO_REUSEPORT socket a worker; a unix
// socket is one that all share) and what all workers count together. app/ creates it, keeps it over
// reloads whose name and address are the same, and destroys it after every worker has let it go.
// Thread: atomics are for all; `config` never changes (a reload makes a new ListenerUse).
#pragma once

#include <weir/config.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/account.h"
#include "policy/accept_pace.h"
#include "policy/address_places.h"
#include "proxy/stats.h"

namespace weir::net {
class TlsServerContext;
}

namespace weir::proxy {

struct SharedListener {
  std::string name;
  Address address;                           ///< As bound: port 0 has become the kernel's choice.
  std::vector<int> fds;                      ///< fds[worker]; owned by app/.
  std::atomic<uint32_t> connections{0};      ///< Open now, process-wide, against max_connections.
  std::atomic<uint32_t> max_connections{0};  ///< `auto` already resolved; changed by reload.
  policy::AddressPlaces addresses;           ///< Against max_connections_per_ip.
  policy::AcceptPace pace;                   ///< Against accept_rate.
  std::vector<std::unique_ptr<ListenerStats>> stats;  ///< stats[worker].
};

/// A listener under one config: what a snapshot lists.
struct ListenerUse {
  std::shared_ptr<SharedListener> shared;
  ListenerConfig config;
  std::shared_ptr<const net::TlsServerContext> tls{};  ///< Null: plain.
};

}  // namespace weir::proxy
