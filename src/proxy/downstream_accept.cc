// SPDX-License-Identifier: Apache-2.0
#include "proxy/downstream_accept.h"

#include "http/proxy_protocol.h"
#include "proxy/downstream_connection.h"
#include "proxy/h2_downstream.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using Status = net::IoResult::Status;

}  // namespace

DownstreamAccept::DownstreamAccept(WorkerListener& listener, const net::Peer& peer)
    : listener_(listener),
      timer_(net::timer_callback<&DownstreamAccept::on_timer>(this)),
      peer_(peer),
      opened_(listener.worker().loop().now()) {}

void DownstreamAccept::open(WorkerListener& listener, int fd, const net::Peer& peer,
                            policy::AddressPlace place) {
  auto* accept = new DownstreamAccept(listener, peer);
  accept->address_place = std::move(place);
  listener.connection_opened(*accept);
  net::Loop& loop = listener.worker().loop();
  if (!accept->socket_.adopt(loop.sockets(), fd, *accept)) return accept->close();
  const ListenerConfig& config = listener.config();
  loop.arm(accept->timer_,
           config.tls ? config.tls->handshake_timeout : config.http1.header_timeout);
  switch (config.proxy_protocol) {
    case AcceptProxy::kOff:
      return accept->begin_tls({});
    case AcceptProxy::kAccept:
      // A stranger's header is left in the stream, where no protocol can make sense of it.
      if (!listener.trusts(peer)) return accept->begin_tls({});
      break;
    case AcceptProxy::kRequire:
      if (!listener.trusts(peer)) {
        accept->refuse(ErrorCode::kBadProxyHeader, "the peer is not in trusted_proxies");
      }
      break;
  }
}

void DownstreamAccept::sniff(ClientConnection& from, Handover handover) {
  auto* accept = new DownstreamAccept(handover.listener, handover.peer);
  handover.listener.connection_replaced(from, *accept);
  accept->state_ = State::kPreface;
  accept->told_ = std::move(handover.told);
  accept->draining_ = handover.draining;
  accept->received_ = handover.bytes;
  handover.socket.hand_over(accept->socket_, *accept);
  handover.listener.worker().loop().arm(accept->timer_,
                                        handover.listener.config().http1.header_timeout);
}

void DownstreamAccept::on_socket() {
  if (state_ == State::kProxyHeader) {
    read_proxy_header();
  } else if (state_ == State::kHandshake) {
    go_on_handshake();
  } else if (state_ == State::kPreface) {
    read_preface();
  }
}

// ---- PROXY header.

void DownstreamAccept::read_proxy_header() {
  // No more than may belong to a header: what follows it is the client's.
  const net::IoResult in =
      socket_.recv({listener_.worker().read_buffer(), http::kProxyV2Bytes - received_.size()});
  if (in.status == Status::kAgain) return;
  if (in.status != Status::kOk) return close();
  received_.append(listener_.worker().read_buffer(), in.bytes);
  size_t used = 0;
  if (!take_proxy_header(used)) return;
  const std::string received = std::exchange(received_, {});
  begin_tls(std::string_view(received).substr(used));
}

// False: more must come, or the connection is closed. `used`: bytes of the header.
bool DownstreamAccept::take_proxy_header(size_t& used) {
  if (!http::begins_proxy_header(received_)) {
    if (listener_.config().proxy_protocol == AcceptProxy::kAccept) return true;
    refuse(ErrorCode::kBadProxyHeader, "the connection begins without one");
    return false;
  }
  http::ProxyFacts facts;
  const Result<size_t> parsed = http::parse_proxy_header(received_, facts);
  if (!parsed) {
    refuse(parsed.error().code, parsed.error().detail);
    return false;
  }
  if (*parsed == 0) {
    if (socket_.readable()) socket_.wake();
    return false;
  }
  used = *parsed;
  if (facts.kind == http::ProxyFacts::Kind::kIp) {
    peer_.ip = facts.source;
    peer_.port = facts.source_port;
    peer_.is_unix = false;
    // From here on it is the client that counts, not the proxy that brought it.
    if (!listener_.take_place(*this, peer_)) {
      close();
      return false;
    }
  }
  if (facts.kind != http::ProxyFacts::Kind::kLocal) {
    told_ = std::make_unique<ProxyTold>(ProxyTold{facts.destination, facts.destination_port,
                                                  std::string(facts.authority),
                                                  std::string(facts.unique_id)});
  }
  return true;
}

// ---- Preface.

void DownstreamAccept::read_preface() {
  const net::IoResult in =
      socket_.recv({listener_.worker().read_buffer(), http::kH2Preface.size()});
  if (in.status == Status::kAgain) return;
  if (in.status != Status::kOk) return close();
  received_.append(listener_.worker().read_buffer(), in.bytes);
  if (http::is_cut_preface(received_)) {
    if (socket_.readable()) socket_.wake();
    return;
  }
  const std::string received = std::exchange(received_, {});
  hand_over(received);
}

// ---- TLS.

void DownstreamAccept::begin_tls(std::string_view received) {
  if (listener_.tls() == nullptr) return hand_over(received);
  state_ = State::kHandshake;
  socket_.start_tls(listener_.tls()->new_session(), received);
  // The client speaks first; unless it has, its bytes will be an event.
  if (!received.empty()) socket_.wake();
}

void DownstreamAccept::go_on_handshake() {
  Worker& worker = listener_.worker();
  worker.loop().now();  // The turn began before this.
  if (!worker.may_shake_hands()) {
    socket_.wake();
    return;
  }
  const TimePoint begun = worker.loop().clock().now();
  const net::Handshake shaken = socket_.handshake();
  worker.shook_hands(worker.loop().clock().now() - begun);
  if (shaken == net::Handshake::kAgain) return;
  ListenerStats& stats = listener_.stats();
  if (shaken == net::Handshake::kError) {
    stats.tls_failures[static_cast<size_t>(socket_.tls()->failure())].add();
    return refuse(ErrorCode::kTlsHandshake, socket_.tls()->failure_reason());
  }
  stats.tls_handshakes.add();
  if (socket_.tls()->resumed()) stats.tls_resumed.add();
  hand_over({});
}

void DownstreamAccept::hand_over(std::string_view received) {
  timer_.cancel();
  const bool http2 = socket_.is_tls() ? socket_.tls()->alpn() == Alpn::kH2
                                      : received.starts_with(http::kH2Preface);
  Handover handover{listener_, socket_, peer_, received, std::move(told_), draining_};
  if (http2) {
    H2DownstreamConnection::take_over(*this, std::move(handover));
  } else {
    DownstreamConnection::take_over(*this, std::move(handover));
  }
  state_ = State::kClosed;
  listener_.worker().loop().retire(*this);
}

// ---- The end.

void DownstreamAccept::on_timer() {
  if (state_ == State::kProxyHeader) {
    return refuse(ErrorCode::kBadProxyHeader, "it did not come in time");
  }
  if (state_ == State::kPreface) {
    return refuse(ErrorCode::kRequestTimeout, "in the middle of a preface");
  }
  listener_.stats().tls_failures[static_cast<size_t>(net::TlsFailure::kTimeout)].add();
  refuse(ErrorCode::kTlsHandshake, "the handshake took too long");
}

void DownstreamAccept::refuse(ErrorCode code, const char* detail) {
  listener_.report(peer_, code, detail);
  close();
}

void DownstreamAccept::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  socket_.close();
  listener_.connection_closed(*this);
  listener_.worker().loop().retire(*this);
}

}  // namespace weir::proxy
