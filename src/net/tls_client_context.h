// SPDX-License-Identifier: Apache-2.0
// A cluster's TLS: whom it trusts, the name it expects, the certificate it shows, what it speaks.
// Built off the loop and immutable; all workers share one. Any thread, once built.
//
// TlsSessionCache is what one worker remembers of one endpoint, so that the next connection resumes
// instead of a full handshake. One thread; it may die before the sessions that fill it.
#pragma once

#include <weir/config.h>

#include <memory>
#include <string_view>

#include "net/tls_files.h"
#include "net/tls_session.h"

namespace weir::net {

struct TlsSessionSlot;

class TlsSessionCache {
 public:
  TlsSessionCache();
  TlsSessionCache(TlsSessionCache&&) noexcept;
  TlsSessionCache& operator=(TlsSessionCache&&) noexcept;
  ~TlsSessionCache();

 private:
  friend class TlsClientContext;
  std::shared_ptr<TlsSessionSlot> slot_;  ///< Made at the first use.
};

class TlsClientContext : public std::enable_shared_from_this<TlsClientContext> {
 public:
  /// Null if `findings` then hold an error.
  static std::shared_ptr<const TlsClientContext> build(const ClusterTlsConfig& config,
                                                       UpstreamProtocol protocol, TlsBuild& build,
                                                       TlsFindings& findings);
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;
  ~TlsClientContext();

  /// `host`: the endpoint's configured name or address, with or without a port; sent (if it is a
  /// name) and verified unless the config names another. What `cache` holds is used only if it was
  /// made under the same trust, name and client certificate.
  std::unique_ptr<TlsSession> new_session(std::string_view host, TlsSessionCache& cache) const;

 private:
  friend struct TlsCallbacks;
  struct Parts;
  explicit TlsClientContext(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::net
