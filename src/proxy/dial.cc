// SPDX-License-Identifier: Apache-2.0
#include "proxy/dial.h"

#include <errno.h>
#include <unistd.h>

#include "net/loop.h"
#include "proxy/exchange.h"
#include "proxy/proxy_header.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

constexpr uint32_t kShedForOne = 8;

Error connect_error(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:
      return make_error(ErrorCode::kConnectRefused, nullptr, Retry::kUnsent, error);
    case ETIMEDOUT:
      return make_error(ErrorCode::kConnectTimeout, nullptr, Retry::kUnsent, error);
    case EMFILE:
    case ENFILE:
      return make_error(ErrorCode::kNoDescriptors, nullptr, Retry::kUnsent, error);
    default:
      return make_error(ErrorCode::kConnectFailed, nullptr, Retry::kUnsent, error);
  }
}

}  // namespace

Result<void> Dial::start(net::Socket& socket, net::SocketHandler& handler, Worker& worker,
                         const upstream::WorkerEndpoint& endpoint) {
  const auto user_timeout = endpoint.cluster().config().tcp_user_timeout.count();
  const int fd = net::start_connect(endpoint.address(), static_cast<uint32_t>(user_timeout));
  const DescriptorMarks& marks = worker.descriptor_marks();
  // Until it is tried again, others may have let go of theirs.
  if (fd >= marks.shed || fd == -EMFILE || fd == -ENFILE) worker.ask_to_shed_idle(kShedForOne);
  if (fd >= marks.origins) {
    ::close(fd);
    return std::unexpected(connect_error(EMFILE));
  }
  if (fd < 0) return std::unexpected(connect_error(-fd));
  net::Loop& loop = worker.loop();
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
