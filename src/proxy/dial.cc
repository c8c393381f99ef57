// SPDX-License-Identifier: Apache-2.0
#include "proxy/dial.h"

#include <errno.h>

#include "net/loop.h"
#include "proxy/exchange.h"
#include "proxy/proxy_header.h"

namespace weir::proxy {
namespace {

Error connect_error(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:
      return make_error(ErrorCode::kConnectRefused, nullptr, Retry::kUnsent, error);
    case ETIMEDOUT:
      return make_error(ErrorCode::kConnectTimeout, nullptr, Retry::kUnsent, error);
    default:
      return make_error(ErrorCode::kConnectFailed, nullptr, Retry::kUnsent, error);
  }
}

}  // namespace

Result<void> Dial::start(net::Socket& socket, net::SocketHandler& handler, net::Loop& loop,
                         const upstream::WorkerEndpoint& endpoint) {
  const auto user_timeout = endpoint.cluster().config().tcp_user_timeout.count();
  const int fd = net::start_connect(endpoint.address(), static_cast<uint32_t>(user_timeout));
  if (fd < 0) return std::unexpected(connect_error(-fd));
  if (!socket.adopt(loop.sockets(), fd, handler)) return std::unexpected(connect_error(errno));
  return {};
}

Dial::Progress Dial::step(net::Socket& socket, upstream::WorkerEndpoint& endpoint,
                          const Exchange* client) {
  if (stage_ == Stage::kTcp) {
    if (!socket.writable() && !socket.failed()) return Progress::kPending;
    if (const int error = socket.take_error(); error != 0) return fail(connect_error(error));
    if (!established(socket, endpoint, client)) return Progress::kFailed;
  }
  if (stage_ == Stage::kTls) {
    switch (socket.handshake()) {
      case net::Handshake::kAgain:
        return Progress::kPending;
      case net::Handshake::kError:
        // Nothing of the request has left: another endpoint may have a better certificate.
        return fail(
            make_error(ErrorCode::kUpstreamTls, socket.tls()->failure_reason(), Retry::kUnsent));
      case net::Handshake::kDone:
        stage_ = Stage::kDone;
        break;
    }
  }
  return Progress::kReady;
}

bool Dial::established(net::Socket& socket, upstream::WorkerEndpoint& endpoint,
                       const Exchange* client) {
  upstream::WorkerCluster& cluster = endpoint.cluster();
  if (cluster.config().proxy_protocol == SendProxy::kV2 && client != nullptr) {
    ProxyHeader header(*client);
    const net::IoResult sent = socket.send(header.text());
    // A fresh socket takes some hundred bytes whole or is broken.
    if (sent.status != net::IoResult::Status::kOk || sent.bytes != header.text().size()) {
      fail(make_error(ErrorCode::kConnectFailed, "no PROXY header sent", Retry::kUnsent,
                      sent.error));
      return false;
    }
  }
  if (const net::TlsClientContext* tls = cluster.tls()) {
    socket.start_tls(tls->new_session(endpoint.host(), endpoint.tls_sessions()));
    stage_ = Stage::kTls;
  } else {
    stage_ = Stage::kDone;
  }
  return true;
}

Dial::Progress Dial::fail(const Error& error) {
  error_ = error;
  return Progress::kFailed;
}

}  // namespace weir::proxy
