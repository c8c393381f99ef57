// SPDX-License-Identifier: Apache-2.0
// From the TLS settings of a config to what connections are made from: certificates, keys, CAs and
// ticket keys are read each time, so that a reload takes what changed in the files alone. Findings
// go where the config's own go. Not for a loop's thread: files are read, keys are checked.
#pragma once

#include <weir/config.h>

#include <memory>
#include <vector>

#include "config/diagnostics.h"
#include "net/tls_client_context.h"
#include "net/tls_server_context.h"

namespace weir::app {

struct TlsContexts {
  /// In the order of the config's; null: plain.
  std::vector<std::shared_ptr<const net::TlsServerContext>> listeners;
  std::vector<std::shared_ptr<const net::TlsClientContext>> clusters;
};

/// `ticket_keys`: the process's, for listeners without key files. Contexts are null where the
/// diagnostics then have an error, and where the config itself is not whole.
TlsContexts build_tls(const Config& config, std::shared_ptr<net::TlsTicketKeys> ticket_keys,
                      config::Diagnostics& diagnostics);

}  // namespace weir::app
