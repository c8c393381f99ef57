// SPDX-License-Identifier: Apache-2.0
// From connect() to a connection that is ready for requests: TCP established, PROXY header sent,
// TLS agreed on. A member of the upstream connection that is being made; it owns nothing but the
// stage that it is in. One thread.
#pragma once

#include <weir/error.h>

#include "net/socket.h"
#include "upstream/worker_cluster.h"

namespace weir::proxy {

class Exchange;
class Worker;

class Dial {
 public:
  enum class Progress : uint8_t { kPending, kReady, kFailed };

  /// Begins. An error if the kernel refuses at once.
  static Result<void> start(net::Socket& socket, net::SocketHandler& handler, Worker& worker,
                            const upstream::WorkerEndpoint& endpoint);
  /// After each event of the socket. `client`: for whom, where the cluster wants a PROXY header.
  Progress step(net::Socket& socket, upstream::WorkerEndpoint& endpoint, const Exchange* client);
  /// After kFailed.
  const Error& error() const { return error_; }

 private:
  enum class Stage : uint8_t { kTcp, kTls, kDone };

  Progress fail(const Error& error);
  bool established(net::Socket& socket, upstream::WorkerEndpoint& endpoint, const Exchange* client);

  Error error_{};
  Stage stage_ = Stage::kTcp;
};

}  // namespace weir::proxy
