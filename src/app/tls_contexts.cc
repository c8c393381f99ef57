// SPDX-License-Identifier: Apache-2.0
#include "app/tls_contexts.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "config/file.h"

namespace weir::app {
namespace {

void report(net::TlsFindings findings, const std::string& owner, config::Diagnostics& diagnostics) {
  for (net::TlsFinding& each : findings) {
    const std::string key = owner + "." + each.key;
    config::Finding finding{std::move(each.message), std::move(each.hint)};
    if (each.error) {
      diagnostics.error(each.location, key, std::move(finding));
    } else {
      diagnostics.warning(each.location, key, std::move(finding));
    }
  }
}

bool whole(const CertificateConfig& certificate) {
  return !certificate.cert.empty() && !certificate.key.empty();
}

// What is missing has been reported by config/ already.
bool whole(const ListenerTlsConfig& tls) {
  const bool asks = tls.client_auth != ClientAuth::kNone;
  return !tls.certificates.empty() && !tls.alpn.empty() && (!asks || !tls.client_ca.empty()) &&
         std::ranges::all_of(tls.certificates, [](const auto& each) { return whole(each); });
}

bool whole(const ClusterTlsConfig& tls) { return !tls.client_cert || whole(*tls.client_cert); }

}  // namespace

TlsContexts build_tls(const Config& config, std::shared_ptr<net::TlsTicketKeys> ticket_keys,
                      config::Diagnostics& diagnostics) {
  net::TlsBuild build(std::move(ticket_keys), std::chrono::system_clock::now(),
                      [&config](const std::string& path) {
                        return config.files.empty() ? path : config::beside(config.files[0], path);
                      });
  TlsContexts out;
  for (const ListenerConfig& listener : config.listeners) {
    auto& context = out.listeners.emplace_back();
    if (!listener.tls || !whole(*listener.tls)) continue;
    net::TlsFindings findings;
    context = net::TlsServerContext::build(*listener.tls, build, findings);
    report(std::move(findings), "listeners." + listener.name, diagnostics);
  }
  for (const ClusterConfig& cluster : config.clusters) {
    auto& context = out.clusters.emplace_back();
    if (!cluster.tls || !whole(*cluster.tls)) continue;
    net::TlsFindings findings;
    context = net::TlsClientContext::build(*cluster.tls, cluster.protocol, build, findings);
    report(std::move(findings), "clusters." + cluster.name, diagnostics);
  }
  return out;
}

}  // namespace weir::app
