// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "admin/metrics_rooms.h"

namespace weir::admin {
namespace {

// Plain listeners have no such series.
void add_tls(Metric metric, const ListenerTotals& l, Samples& out) {
  if (!l.tls) return;
  if (metric == Metric::kListenerTlsHandshakes) {
    out.add(l.tls_handshakes - l.tls_resumed, {{"listener", l.name}, {"kind", "full"}});
    out.add(l.tls_resumed, {{"listener", l.name}, {"kind", "resumed"}});
    return;
  }
  for (size_t i = 1; i < l.tls_failures.size(); ++i) {
    const auto failure = static_cast<net::TlsFailure>(i);
    out.add(l.tls_failures[i],
            {{"listener", l.name}, {"reason", std::string(net::tls_failure_word(failure))}});
  }
}

// Listeners that carry no gRPC have no such series.
void add_grpc(const ListenerTotals& l, Samples& out) {
  const auto& counts = l.grpc_responses;
  if (std::ranges::all_of(counts, [](uint64_t count) { return count == 0; })) return;
  for (size_t i = 0; i < counts.size(); ++i) {
    const std::string status = i < http::kGrpcStatuses ? std::to_string(i) : "none";
    out.add(counts[i], {{"listener", l.name}, {"status", status}});
  }
}

void add_listener(Metric metric, const ListenerTotals& l, Samples& out) {
  Labels labels{{"listener", l.name}};
  switch (metric) {
    case Metric::kListenerAccepted:
      return out.add(l.accepted, std::move(labels));
    case Metric::kListenerRefused:
      for (size_t i = 0; i < l.refused.size(); ++i) {
        const auto why = std::string(proxy::refusal_word(static_cast<proxy::Refusal>(i)));
        out.add(l.refused[i], {{"listener", l.name}, {"reason", why}});
      }
      return;
    case Metric::kListenerConnections:
      return out.add(l.connections, std::move(labels));
    case Metric::kListenerMaxConnections:
      return out.add(l.max_connections, std::move(labels));
    case Metric::kListenerExchanges:
      return out.add(l.exchanges, std::move(labels));
    case Metric::kListenerRequests:
      return out.add(l.requests, std::move(labels));
    case Metric::kListenerReceived:
      return out.add(l.bytes_received, std::move(labels));
    case Metric::kListenerSent:
      return out.add(l.bytes_sent, std::move(labels));
    case Metric::kListenerDuration:
      return out.add(l.duration, std::move(labels));
    case Metric::kListenerResponses:
      for (size_t i = 0; i < l.responses.size(); ++i) {
        out.add(l.responses[i], {{"listener", l.name}, {"class", kAnswerClasses[i]}});
      }
      return;
    case Metric::kListenerUpgrades:
      return out.add(l.upgrades, std::move(labels));
    case Metric::kListenerUpgradesActive:
      return out.add(l.upgrades_active, std::move(labels));
    case Metric::kListenerGrpc:
      return add_grpc(l, out);
    case Metric::kListenerHttp2Glitches:
      return out.add(l.http2_glitches, std::move(labels));
    case Metric::kTlsCertificateDaysLeft:
      for (const CertificateTotals& each : l.certificates) {
        out.add(each.days_left,
                {{"listener", l.name}, {"certificate", each.file}, {"subject", each.subject}});
      }
      return;
    case Metric::kListenerTlsHandshakes:
    case Metric::kListenerTlsFailures:
      return add_tls(metric, l, out);
    default:
      return;
  }
}

}  // namespace

bool add_listeners(Metric metric, const Totals& totals, Samples& out) {
  if (metric < Metric::kListenerAccepted || metric > Metric::kTlsCertificateDaysLeft) return false;
  for (const ListenerTotals& item : totals.listeners) add_listener(metric, item, out);
  return true;
}

}  // namespace weir::admin
