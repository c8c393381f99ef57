// SPDX-License-Identifier: Apache-2.0
// A listener's TLS: certificates and the choice among them by name and by what the client can
// verify, versions, suites, ALPN, tickets, client certificates. Built off the loop and immutable;
// all workers share one. A reload builds another: live sessions keep theirs until they end.
// Not the listener's time-outs. Any thread, once built.
#pragma once

#include <weir/config.h>

#include <memory>
#include <span>

#include "net/tls_files.h"
#include "net/tls_session.h"

namespace weir::net {

class TlsServerContext : public std::enable_shared_from_this<TlsServerContext> {
 public:
  /// Null if `findings` then hold an error; warnings (soon expired) may come with a context.
  static std::shared_ptr<const TlsServerContext> build(const ListenerTlsConfig& config,
                                                       TlsBuild& build, TlsFindings& findings);
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;
  ~TlsServerContext();

  std::unique_ptr<TlsSession> new_session() const;
  /// In the order of the config.
  std::span<const TlsCertificateFacts> certificates() const;

 private:
  friend struct TlsCallbacks;
  struct Parts;
  explicit TlsServerContext(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::net
