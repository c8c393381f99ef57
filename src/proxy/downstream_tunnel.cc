// SPDX-License-Identifier: Apache-2.0
// Upgrades and CONNECT of an HTTP/1 client: what it asks for, the answer that turns the connection
// into a tunnel, and the end of either way.
#include "http/head_writer.h"
#include "http/upgrade.h"
#include "net/digest.h"
#include "proxy/downstream_connection.h"
#include "proxy/exchange.h"
#include "proxy/h1_request.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {

// What comes behind the head is the tunnel's, or the next request's: nobody can tell before the
// answer, and so nobody reads it.
void DownstreamConnection::await_tunnel(RequestHead& head) {
  head.expect_continue = false;
  request_->body.start({BodyFraming::Kind::kTunnel, 0});
  request_->continue_owed = false;
  pause_body();
}

// The answer is an ordinary one: the request had no body.
void DownstreamConnection::decline_tunnel() {
  request_->body.start({});
  state_ = State::kComplete;
  body_paused_ = false;
}

void DownstreamConnection::open_tunnel(const ResponseHead& head) {
  base::Arena& arena = exchange_->arena();
  const RequestHead& request = exchange_->request();
  ResponseHead out = head;
  if (!http::is_plain_connect(request)) {
    out.headers = http::with_upgrade(head.headers, request.protocol, arena);
    const Header* key = request.headers.find(HeaderId::kSecWebsocketKey);
    // An origin that speaks HTTP/2 has proved nothing about the key.
    if (key != nullptr && out.headers.find(HeaderId::kSecWebsocketAccept) == nullptr) {
      out.headers.push({"sec-websocket-accept", arena.copy(net::websocket_accept(key->value)),
                        HeaderId::kSecWebsocketAccept});
    }
  }
  const size_t bound = http::response_head_bound(out);
  http::HeadWriter writer({static_cast<char*>(arena.allocate(bound)), bound});
  http::write_response_head(out, http::ConnectionField::kNone, writer);
  out_.add(writer.text(), arena, memory());
  head_sent_ = true;
  keep_alive_ = false;
  response_framing_ = BodyFraming::Kind::kTunnel;
  state_ = State::kTunnel;
  timer_.cancel();
}

void DownstreamConnection::flush_tunnel() {
  if (!out_.empty() && out_.flush(socket_, memory()) == net::IoResult::Status::kError) {
    out_.clear(memory());
    write_broken_ = true;
    socket_.wake();
    return;
  }
  if (!exchange_->response_ended() || write_ended_ || !out_.empty()) return;
  write_ended_ = true;
  socket_.shutdown_write();
}

}  // namespace weir::proxy
