// SPDX-License-Identifier: Apache-2.0
// One check of one endpoint, over a connection of its own made the way its cluster makes them: unix
// or TCP, PROXY header (LOCAL: for nobody), TLS with the cluster's trust and names, HTTP/1 or
// HTTP/2. It says whether it passed and why not; what follows from that is not its business.
//
// Lifetime: made by start(), retires itself after it has called on_probe(), or when cancel() is
// called. Thread: the control loop's.
#pragma once

#include <weir/config.h>

#include <memory>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/socket.h"
#include "net/tls_client_context.h"
#include "upstream/endpoint.h"
#include "upstream/probe_h2.h"

namespace weir::upstream {

/// What a check is about. A reload may replace config and TLS while it is under way.
struct ProbeTarget {
  std::shared_ptr<const Endpoint> endpoint;
  std::shared_ptr<const ClusterConfig> config;  ///< With a health_check.
  std::shared_ptr<const net::TlsClientContext> tls;
  net::TlsSessionCache& sessions;  ///< Outlives the probe, or cancel() comes first.
};

class ProbeHandler {
 public:
  /// Once, from the loop; the probe is gone. `reason` is empty for one that passed.
  virtual void on_probe(bool passed, std::string_view reason) = 0;

 protected:
  ~ProbeHandler() = default;
};

class Probe final : private net::SocketHandler, public net::Retirable {
 public:
  /// on_probe() comes later in any case.
  static Probe* start(net::Loop& loop, ProbeMemory& memory, const ProbeTarget& target,
                      ProbeHandler& handler);
  /// No on_probe() comes.
  void cancel();

 private:
  enum class Stage : std::uint8_t { kConnect, kTls, kHttp1, kHttp2, kDone };

  Probe(net::Loop& loop, ProbeMemory& memory, const ProbeTarget& target, ProbeHandler& handler);
  ~Probe() override = default;

  void connect();
  void on_socket() override;
  void on_timeout();
  void on_connect();
  void on_handshake();
  void established();
  void ask_http1();
  void read();
  void take(std::string_view bytes);
  void take_http1();
  void pump_http2();
  void send_out();
  void judge(int status);
  void pass() { finish(true, {}); }
  void fail(std::string_view reason) { finish(false, reason); }
  void finish(bool passed, std::string_view reason);
  const HealthCheckConfig& check() const { return *target_.config->health_check; }

  net::Loop& loop_;
  ProbeMemory& memory_;
  const ProbeTarget target_;
  ProbeHandler& handler_;
  net::Socket socket_;
  net::Timer timer_{net::timer_callback<&Probe::on_timeout>(this)};
  std::unique_ptr<ProbeStream> stream_;  ///< Of kHttp2.
  std::string out_;                      ///< What the socket has not taken yet.
  std::string in_;                       ///< A response head as far as it has come (kHttp1).
  std::string early_;                    ///< Why it failed before it began.
  Stage stage_ = Stage::kConnect;
};

}  // namespace weir::upstream
